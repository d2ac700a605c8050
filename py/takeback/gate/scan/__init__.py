"""`takeback gate scan`: a back catalogue against the gate's list, on this machine or on a Ray cluster.

`sources` cuts the input into parts, `work` decides on one part (a pure function over Arrow record batches), `pool` and
`cluster` run it over all parts, `snapshot` freezes the list for as long as a scan lasts, `run` ties them together and
resumes, `report` writes what was found.
"""
