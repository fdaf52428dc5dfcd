"""CloudFormation templates: the template with its functions -> the request of its AWS::EMR::Cluster."""
