"""Operations on clusters other than applying a spec.

inventory       lists clusters by state, time, name and tag; finds idle clusters that flowspec started
resize          sets the sizes of instance groups and fleets
steps           adds steps once, cancels steps
orphans         finds the clusters of flows whose specs are no longer in a folder
ending          terminates clusters; sets termination protection; lists what a cluster leaves behind
reconstruction  a live or ended cluster -> the RunJobFlow request that creates one like it
staged          lists and deletes the files that `apply` staged in S3
adoption        tags a cluster that was started without flowspec, so that a spec manages it
"""
