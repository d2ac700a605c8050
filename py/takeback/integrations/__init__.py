"""The gate inside other software, and in front of it: each module or folder is for one kind of software.

`checker` asks whichever of three a site has, by one setting: a sidecar, a gate's folder or a look-up service. What runs
in the process of other software uses it (`synapse`, `django`, `wagtail`), and so do the services `bucket` and
`pict_rs`; `proxy` asks by `proxy.judges`. Folders without Python (`node`, `php`, `wordpress`, `mediawiki`) are to be
copied into that software. No other room imports this one.
"""
