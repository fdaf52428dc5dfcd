"""Runs a script that launches job flows with AWS faked, and records what it asks EMR for.

    running    runs the script in a process of its own -> the calls that it made
    folding    those calls -> what each job flow asks for, later calls on it included

In that process (`launcher`) every client of the AWS SDK is answered on this machine: EMR by the emulator (`emr`), other
services by samples (`samples`); `boto` is flowspec's own (`boto2`), and no connection is opened.
"""
