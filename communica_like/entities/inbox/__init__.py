"""The backend over a shared inbox, which takes the place of sessions."""
