"""The embedded EMR as a backend: `backend` (the Protocol's methods), `logs` (live files), `fidelity`."""
