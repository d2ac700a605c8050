"""`takeback gate scan`: matches stored uploads against the gate's list, on this machine or on a Ray cluster.

`sources` divides the input into chunks, `work` decides on one chunk (a pure function of Arrow record batches), `pool`
and `cluster` run it over all chunks, `snapshot` freezes the list for the duration of a scan, `run` combines these and
resumes stopped scans, `report` writes the results.
"""
