"""Scripts with `aws emr create-cluster` -> the request that the AWS CLI would send.

script      the create-cluster command of a script -> the request
shell       the text of a script -> its commands, without running any; `cursor`: quotes, brackets and here documents
windows     PowerShell and batch -> the words of a POSIX shell
effects     what a command does to the shell: assignments, builtins, files, calls of functions
outputs     what `echo`, `printf` and `seq` write, and the words of `{1..3}`
conditions  the results of `[ … ]` and `test` whose words are known
variables   the values of variables as far as they are certain, placeholders for the rest
paths       the files that a script names, by its variables and its own folder
parsed      what these modules hand on: `Script`, `Command`, `Word`
command     the words of an `aws emr` command -> its options; `shorthand`: the CLI's syntax for objects
instances   the options for groups, fleets, the network and roles
software    the options for applications, bootstrap actions, steps and EMRFS
later       the commands on the cluster after it was created
"""
