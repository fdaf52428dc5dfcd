"""Members of RunJobFlow that a spec gives in a friendlier shape: one module per `x-shape` of the schema.

    tags, applications, configurations, instance_groups, bootstrap_actions, steps    the shapes
    registry    `SHAPES`, the table of them
    shape       what such a module has to have (`Shape`), and what its functions get

Everything else is carried over by rule, along the schema, in both directions.
"""
