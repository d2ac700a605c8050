from typing import override

from django.contrib import admin
from django.db import models

from takeback.integrations.django.validators import validate_not_listed


class Photo(models.Model):
    caption = models.CharField(max_length=50, blank=True)
    file = models.ImageField(upload_to="photos", validators=[validate_not_listed])
    small = models.FileField(upload_to="small", blank=True, validators=[validate_not_listed])

    @override
    def __str__(self) -> str:
        return f"photo {self.pk}"


admin.site.register(Photo)
