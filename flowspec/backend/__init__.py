"""The two backends that carry out plans, behind one Protocol: `aws` (EMR through boto3), `local` (embedded EMR).

    protocol        what differs between the two (`Backend`), and `backend_of`, which finds one by its name
    aws             the client and everything that calls EMR: observe, apply, watch, verdict, logs, diagnosis
    preflight_data  checks the data of a plan's steps in S3, or in the folder that stands for it
    packing         packs Python packages into an archive, by pip or uv
    threads         runs calls in parallel threads, for which an interrupt does not wait
    local           the embedded EMR of this machine, which the same client calls in this process

No code outside of this package asks which backend a flow has.
"""
