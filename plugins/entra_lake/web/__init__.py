"""The pages in Airflow's web UI: coverage, days, security overview, findings, query book.

Server-rendered HTML over what the lake already holds: manifests for the pages about completeness, Athena for
the pages about people. `app` puts the application together, `access` decides who may see and do what, each page
is a module of its own name with its template in `templates/`.
"""
