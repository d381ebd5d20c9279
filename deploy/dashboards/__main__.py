"""`python -m deploy.dashboards`, after a change of `panels.py`."""

from deploy.dashboards.panels import write

if __name__ == "__main__":
    write()
