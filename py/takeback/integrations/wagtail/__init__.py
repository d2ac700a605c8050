"""For Wagtail: forms of images and documents that check what is uploaded, and a check that the site uses them."""
