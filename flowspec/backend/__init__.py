"""The two backends that carry out plans, behind one Protocol: `aws` (EMR through boto3), `local` (embedded EMR).

    protocol        what differs between the two (`Backend`), and `backend_of`, which finds one by its name
    aws             the client and everything that calls EMR: observe, apply, watch, verdict, logs, diagnosis
    preflight_data  looks up the data of a plan's steps, in the store of either backend
    packing         Python packages -> an archive, by pip or uv
    threads         calls side by side, for which an interrupt does not wait
    local           the embedded EMR of this machine: it is reached by the same client, in this process

No code outside of this package asks which backend a flow has.
"""
