"""The fault matrix: each fault strikes a third of the calls of real workers, and no badge is lost or doubled."""
