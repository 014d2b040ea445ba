"""The simulated AWS: S3, Glue and SSM kept on disk, and an Athena that really runs its queries."""
