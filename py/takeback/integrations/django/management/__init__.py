"""Commands of `manage.py`, in the folder where Django looks for them."""
