"""The process of one cluster: it runs bootstrap actions and steps, writes their logs and ends the cluster."""
