"""What is known of EMR, each fact once, with its source. It imports nothing else of flowspec but `errors`.

api_model        the shapes of EMR's API, from botocore's service model, without a session
releases         the dated table of EMR's releases and what is in them
streaming_options   the options of Hadoop Streaming's command line
instance_types   the EC2 instance types that EMR offers
"""
