"""Steps of a spec -> HadoopJarStep, and back: one module per kind of step.

    streaming, spark, hive, pig, s3_dist_cp, script, command, jar    the kinds
    registry      `KINDS`, the table of them; `compile_step`
    kind          what such a module has to have (`StepKind`), and what its functions get
    target        what decides the form of a step (`StepTarget`): releases of EMR, or the AMIs before 4.0.0
    access        the data that a step names in its arguments
    packages      the Python packages that a step asks for, as an archive among its files
    options       options of a command line as values of a spec
    interpreter   what Hive and Pig have in common

Sources: the EMR Release Guide ("Run commands and scripts on a cluster"), the AWS CLI's expansion of
`--steps` (awscli/customizations/emr/steputils.py), boto 2's `boto.emr.step`.

A module imports this package's `registry` only where it needs all kinds: the kinds themselves import `kind`,
`target` and `options`, so that there is no circle.
"""
