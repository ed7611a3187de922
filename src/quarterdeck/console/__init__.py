"""The web console: built files of `web/`, served beside the API that they read."""
