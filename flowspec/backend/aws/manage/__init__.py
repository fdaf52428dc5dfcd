"""Operations on clusters beside applying a spec.

inventory       lists clusters by state, time, name and tag; finds those of ours that do nothing
resize          sets the sizes of instance groups and fleets
steps           adds steps once, cancels steps
orphans         finds the clusters of flows whose specs are no longer in a folder
ending          terminates a cluster; termination protection; what a cluster leaves behind
reconstruction  a live or ended cluster -> the RunJobFlow request that makes one like it
staged          lists and deletes the files that applies staged in S3
adoption        our tags on a cluster that someone else made
"""
