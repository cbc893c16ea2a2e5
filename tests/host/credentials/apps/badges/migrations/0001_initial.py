import django.db.models.deletion
import uuid
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('credentials', '0001_initial'),
        ('sites', '0002_alter_domain_unique'),
    ]

    operations = [
        migrations.CreateModel(
            name='BadgeTemplate',
            fields=[
                ('id', models.AutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('created', models.DateTimeField(auto_now_add=True)),
                ('modified', models.DateTimeField(auto_now=True)),
                ('uuid', models.UUIDField(default=uuid.uuid4, unique=True)),
                ('is_active', models.BooleanField(default=False)),
                ('name', models.CharField(max_length=255)),
                ('description', models.TextField(blank=True, null=True)),
                ('icon', models.FileField(blank=True, null=True, upload_to='')),
                ('origin', models.CharField(blank=True, max_length=128, null=True)),
                ('state', models.CharField(default='draft', max_length=100)),
                ('site', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, to='sites.site')),
            ],
            options={
                'get_latest_by': 'modified',
                'abstract': False,
            },
        ),
        migrations.CreateModel(
            name='CredlyBadge',
            fields=[
                ('usercredential_ptr', models.OneToOneField(auto_created=True, on_delete=django.db.models.deletion.CASCADE, parent_link=True, primary_key=True, serialize=False, to='credentials.usercredential')),
                ('state', models.CharField(default='created', max_length=50)),
                ('external_uuid', models.UUIDField(blank=True, null=True, unique=True)),
            ],
            options={
                'get_latest_by': 'modified',
                'abstract': False,
            },
            bases=('credentials.usercredential',),
        ),
        migrations.CreateModel(
            name='CredlyOrganization',
            fields=[
                ('id', models.AutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('created', models.DateTimeField(auto_now_add=True)),
                ('modified', models.DateTimeField(auto_now=True)),
                ('uuid', models.UUIDField(unique=True)),
                ('api_key', models.CharField(blank=True, max_length=255)),
                ('name', models.CharField(blank=True, max_length=255, null=True)),
            ],
            options={
                'get_latest_by': 'modified',
                'abstract': False,
            },
        ),
        migrations.CreateModel(
            name='BadgeRequirement',
            fields=[
                ('id', models.AutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('event_type', models.CharField(max_length=255)),
                ('description', models.TextField(blank=True, null=True)),
                ('blend', models.CharField(blank=True, max_length=50, null=True)),
                ('template', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='requirements', to='badges.badgetemplate')),
            ],
        ),
        migrations.CreateModel(
            name='BadgeProgress',
            fields=[
                ('id', models.AutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('username', models.CharField(max_length=255)),
                ('template', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, to='badges.badgetemplate')),
            ],
        ),
        migrations.CreateModel(
            name='BadgePenalty',
            fields=[
                ('id', models.AutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('event_type', models.CharField(max_length=255)),
                ('requirements', models.ManyToManyField(to='badges.badgerequirement')),
                ('template', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='badges.badgetemplate')),
            ],
        ),
        migrations.CreateModel(
            name='Fulfillment',
            fields=[
                ('id', models.AutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('blend', models.CharField(blank=True, max_length=50, null=True)),
                ('progress', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='badges.badgeprogress')),
                ('requirement', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, to='badges.badgerequirement')),
            ],
        ),
        migrations.CreateModel(
            name='CredlyBadgeTemplate',
            fields=[
                ('badgetemplate_ptr', models.OneToOneField(auto_created=True, on_delete=django.db.models.deletion.CASCADE, parent_link=True, primary_key=True, serialize=False, to='badges.badgetemplate')),
                ('organization', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='badges.credlyorganization')),
            ],
            options={
                'get_latest_by': 'modified',
                'abstract': False,
            },
            bases=('badges.badgetemplate',),
        ),
        migrations.CreateModel(
            name='DataRule',
            fields=[
                ('id', models.AutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('data_path', models.CharField(max_length=255)),
                ('operator', models.CharField(choices=[('eq', '='), ('ne', '!=')], default='eq', max_length=32)),
                ('value', models.CharField(max_length=255)),
                ('requirement', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='rules', to='badges.badgerequirement')),
            ],
            options={
                'unique_together': {('requirement', 'data_path', 'operator', 'value')},
            },
        ),
        migrations.CreateModel(
            name='PenaltyDataRule',
            fields=[
                ('id', models.AutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('data_path', models.CharField(max_length=255)),
                ('operator', models.CharField(choices=[('eq', '='), ('ne', '!=')], default='eq', max_length=32)),
                ('value', models.CharField(max_length=255)),
                ('penalty', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='rules', to='badges.badgepenalty')),
            ],
            options={
                'unique_together': {('penalty', 'data_path', 'operator', 'value')},
            },
        ),
    ]
