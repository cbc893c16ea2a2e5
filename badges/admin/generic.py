"""Django's admin and form classes as the generic types that type checkers know; at run time they are not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from django import forms
from django.contrib import admin

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin
    TabularInline = admin.TabularInline
    StackedInline = admin.StackedInline
    ModelForm = forms.ModelForm
    BaseInlineFormSet = forms.BaseInlineFormSet
    ModelMultipleChoiceField = forms.ModelMultipleChoiceField
else:

    class _Subscriptable:
        def __class_getitem__(cls, item: Any) -> type[Self]:
            return cls

    class ModelAdmin(_Subscriptable, admin.ModelAdmin):
        """See the module."""

    class TabularInline(_Subscriptable, admin.TabularInline):
        """See the module."""

    class StackedInline(_Subscriptable, admin.StackedInline):
        """See the module."""

    class ModelForm(_Subscriptable, forms.ModelForm):
        """See the module."""

    class BaseInlineFormSet(_Subscriptable, forms.BaseInlineFormSet):
        """See the module."""

    class ModelMultipleChoiceField(_Subscriptable, forms.ModelMultipleChoiceField):
        """See the module."""


__all__ = ["BaseInlineFormSet", "ModelAdmin", "ModelForm", "ModelMultipleChoiceField", "StackedInline", "TabularInline"]
