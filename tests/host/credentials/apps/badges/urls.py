"""The built-in module's addresses. Its models are needed to import this."""

from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from credentials.apps.badges.models import CredlyOrganization

app_name = "badges"


@csrf_exempt
def webhook(request: HttpRequest) -> HttpResponse:
    """What Credly calls; here it only tells whose address this is."""
    return HttpResponse(status=204, headers={"X-Answered-By": CredlyOrganization._meta.label})


urlpatterns = [path("credly/webhook/", webhook, name="credly-webhook")]
