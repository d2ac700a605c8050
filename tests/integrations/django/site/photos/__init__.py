"""A site that uses the app in a form, in a model and by its signals."""
