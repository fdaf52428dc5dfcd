#!/bin/bash
# Launches the nightly cluster, as it was before.
set -euo pipefail

STAGE="${STAGE:-prod}"
CODE=s3://acme-code/v12
APPS=()
for app in Hadoop Spark; do
  APPS+=("Name=$app")
done

cat > configurations.json <<JSON
[{"Classification": "spark-defaults", "Properties": {"spark.executor.memory": "4g"}}]
JSON

create_cluster() {
  local workers=$1
  aws emr create-cluster --region eu-west-1 --name "nightly-$STAGE" --release-label emr-7.5.0 \
    --applications "${APPS[@]}" --configurations file://configurations.json --use-default-roles \
    --instance-groups InstanceGroupType=MASTER,InstanceCount=1,InstanceType=m5.xlarge \
                      InstanceGroupType=CORE,InstanceCount=$workers,InstanceType=m5.2xlarge \
    --log-uri "s3://acme-logs/$STAGE/" --query ClusterId --output text
}

ID=$(create_cluster 4)
trap 'aws emr terminate-clusters --cluster-ids "$ID"' EXIT
aws emr add-steps --cluster-id "$ID" --steps "Type=Spark,Name=sums,Args=[$CODE/sums.py,--day,$1]"
