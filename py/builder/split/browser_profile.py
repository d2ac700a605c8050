"""stub"""
def browser_profile(files, pictures):
    return {}
