"""The known causes of failures, as data.

A line of a log is compared with each row in turn. Of the rows with the same weight, the first that matches counts, so
special causes come before general ones.
"""

from __future__ import annotations

import re

from flowspec.backend.aws.diagnosis.commands import COMMAND_FAILED, COMMAND_FAILURE
from flowspec.backend.aws.diagnosis.rule import RERUN, Rule, Weight, make_rule

# A source of many words.
_SPARK = "Spark's error-conditions.json"
_KERNEL_LOG = '`dmesg` of its machine has "Out of memory: Killed process" if the kernel ended it'


def _exit_status_patterns(*statuses: int) -> tuple[str, ...]:
    """Returns patterns for the messages of YARN, Spark, Hadoop, EMR and Python about such an exit code."""
    numbers = f"(?:{'|'.join(map(str, statuses))})"
    said = r"[Ee]xit(?:ed)?(?: with)?(?: exit)? ?(?:[Cc]ode|status)(?: is)?:?"
    return (rf"(?:{COMMAND_FAILURE}|{said}) ?{numbers}\b", rf"ret '{numbers}'")


RULES: tuple[Rule, ...] = (
    # -- YARN and memory
    make_rule(
        "container-memory",
        r"running beyond (the )?'?(PHYSICAL|physical|VIRTUAL|virtual)'? memory limit",
        r"[Kk]illed by YARN for exceeding (physical |virtual )?memory limits",
        cause="YARN killed a container that used more memory than it had asked for.",
        advice=(
            "ask for more: spark.executor.memoryOverhead (or spark.driver.memoryOverhead), mapreduce.map.memory.mb "
            "or mapreduce.reduce.memory.mb; or let each task hold less (more partitions, smaller splits)"
        ),
        source="ContainersMonitorImpl (YARN), YarnAllocator (Spark)",
    ),
    make_rule(
        "gc-overhead",
        r"GC overhead limit exceeded",
        cause="The Java heap was so full that nearly all time went into garbage collection.",
        advice="raise the heap (driver_memory, executor_memory, mapreduce.*.java.opts), or hold less in memory at once",
        source="HotSpot, java.lang.OutOfMemoryError",
    ),
    make_rule(
        "java-heap",
        r"OutOfMemoryError: (Java heap space|Requested array size|Metaspace|Cannot reserve)",
        r"SparkOutOfMemoryError",
        r"UNABLE_TO_ACQUIRE_MEMORY",
        r"insufficient memory for the Java Runtime",
        cause="A Java process ran out of memory.",
        advice=(
            "raise the memory of the process that ran out (driver_memory, executor_memory, mapreduce.*.java.opts); "
            "don't collect large data in the driver"
        ),
        source="HotSpot, java.lang.OutOfMemoryError",
    ),
    make_rule(
        "python-memory",
        r"^(numpy[\w.]*\.)?_?(Array)?MemoryError\b",
        cause="A Python program ran out of memory.",
        advice="read and write piece by piece instead of holding everything in memory, or give the task more memory",
        source="Python, MemoryError",
    ),
    make_rule(
        "java-stack-overflow",
        r"java\.lang\.StackOverflowError",
        cause="A Java thread used up its stack: an endless recursion, or a very deep plan or expression.",
        advice="end the recursion; shorten a deep Spark plan with checkpoint(), or raise -Xss in the Java options",
        source="HotSpot, java.lang.StackOverflowError",
    ),
    make_rule(
        "result-too-big",
        r"is bigger than (local )?spark\.driver\.maxResultSize",
        r"maxResultSize",
        cause="The tasks sent more data to the driver than spark.driver.maxResultSize allows.",
        advice="write the result out instead of collecting it, or raise spark.driver.maxResultSize",
        source="Spark, TaskSetManager",
    ),
    make_rule(
        "kryo-buffer",
        r"Kryo serialization failed: Buffer overflow",
        r"Buffer overflow\. Available: \d+, required",
        cause="An object was larger than Kryo's buffer.",
        advice="raise spark.kryoserializer.buffer.max",
        source="Spark, KryoSerializer",
    ),
    make_rule(
        "broadcast-timeout",
        r"Could not execute broadcast in \d+ secs",
        r"EXECUTE_BROADCAST_TIMEOUT",
        cause="Spark did not get a table for a broadcast join in time.",
        advice="raise spark.sql.broadcastTimeout, or set spark.sql.autoBroadcastJoinThreshold to -1",
        source="Spark, BroadcastExchangeExec",
    ),
    # -- machines
    make_rule(
        "cluster-invalid",
        r"VALIDATION_ERROR",
        cause="EMR refused to create the cluster as requested.",
        advice="read EMR's message: it names the subnet, role, security group or type that does not fit",
        source="EMR StateChangeReason",
    ),
    make_rule(
        "spot-loss",
        r"[Ss]pot [Ii]nstance",
        r"SPOT_(INTERRUPTION|TERMINATION)",
        r"Container released on a \*?lost\*? node",
        r"instance-(terminated|stopped)-(by|no)",
        r"(Decommissioned|decommissioned) (executor|node).*spot",
        r"All slaves in the job flow were terminated",
        cause="EC2 took instances of the cluster away, most likely spot instances.",
        advice=(
            "run the master and core groups on demand and only task groups on spot, or choose several instance types"
        ),
        source="EMR StateChangeReason; YARN, RMContainerImpl.ContainerReleasedOnLostNode",
    ),
    make_rule(
        "no-capacity",
        r"INSUFFICIENT_CAPACITY",
        r"out of capacity",
        r"InsufficientInstanceCapacity",
        r"INSTANCE_FLEET_TIMEOUT",
        r"insufficient (instance )?capacity",
        cause="EC2 did not have enough instances of the requested types.",
        advice=(
            "name alternatives in `fallback` (other subnets, instance types, on-demand instances), or use instance "
            "fleets with more types and subnets"
        ),
        source="EMR ErrorDetail codes; EC2",
    ),
    make_rule(
        "quota",
        r"EXCEEDED_QUOTA",
        r"VcpuLimitExceeded",
        r"InstanceLimitExceeded",
        r"exceeds your (EC2 )?(instance |vCPU )?(quota|limit)",
        cause="A quota of the AWS account is used up.",
        advice="ask for a higher quota (Service Quotas), or run fewer or smaller instances",
        source="EMR ErrorDetail codes; EC2",
    ),
    make_rule(
        "node-lost",
        r"marked unhealthy",
        r"local-dirs (are bad|usable space)",
        r"Container from a bad node",
        r"NodeManager .* (lost|unhealthy)",
        r"UNHEALTHY",
        cause="A node was lost, or YARN marked it unhealthy: most often its disk was full.",
        advice="give the nodes larger EBS volumes, and look at the instance states of the cluster",
        source="YARN, NodeHealthCheckerService; Spark, YarnAllocator",
    ),
    make_rule(
        "disk-full",
        r"No space left on device",
        r"Disk quota exceeded",
        r"could only be written to 0 of the",
        r"DiskErrorException: Could not find any valid local directory",
        cause="A disk was full.",
        advice=(
            "give the nodes larger or more EBS volumes, or delete what is not needed; intermediate data needs about "
            "as much space as the input"
        ),
        source="Linux, ENOSPC; HDFS, BlockManager; Hadoop, LocalDirAllocator",
    ),
    make_rule(
        "process-limit",
        r"error=11, Resource temporarily unavailable",
        r"(IOException|fork(: retry)?): Resource temporarily unavailable",
        r"\[Errno 11\] Resource temporarily unavailable",
        r"unable to create (new )?native thread",
        r"can't start new thread",
        cause="No more processes or threads could be started: the limit of the user or of the container is reached.",
        advice=(
            "raise it (`ulimit -u`, pids.max of a container), end what else runs, or have the step start fewer "
            "processes and threads"
        ),
        source="Linux, EAGAIN of fork(2); java.lang.Thread.start; Python, threading",
    ),
    make_rule(
        "open-files-limit",
        r"Too many open files",
        cause="The limit of open files of a process is reached.",
        advice="raise it (`ulimit -n`), or have the step close files that it is done with",
        source="Linux, EMFILE and ENFILE of open(2)",
    ),
    make_rule(
        "executor-failures",
        r"Max number of executor failures \(\d+\) reached",
        cause="Too many of Spark's executors failed.",
        advice=(
            "read the stderr of the executors' containers: often it is memory (spark.executor.memoryOverhead) or "
            "lost nodes"
        ),
        source="Spark, ApplicationMaster",
    ),
    make_rule(
        "fetch-failed",
        r"FetchFailed",
        r"MetadataFetchFailedException",
        r"Failed to (fetch|connect to) .*shuffle",
        r"Exceeded MAX_FAILED_UNIQUE_FETCHES",
        r"shuffle in fetcher",
        r"Missing an output location for shuffle",
        cause=(
            "Tasks could not fetch the output of earlier ones: the nodes or executors that held it are gone or "
            "overloaded."
        ),
        advice="find out why they were lost (memory, spot instances, full disks); give executors more memoryOverhead",
        source="Spark, FetchFailedException; Hadoop, ShuffleSchedulerImpl",
    ),
    make_rule(
        "executor-lost",
        r"ExecutorLostFailure",
        r"Lost executor",
        r"Executor heartbeat timed out",
        r"Remote RPC client disassociated",
        cause="A Spark executor was lost while it ran a task.",
        advice="read the stderr of its container; often it is memory (spark.executor.memoryOverhead) or a lost node",
        source="Spark, TaskSetManager",
    ),
    # -- access
    make_rule(
        "access-denied",
        r"Access ?Denied",
        r"AccessDeniedException",
        r"UnauthorizedOperation",
        r"is not authorized to perform",
        r"\b403\b.*(Forbidden|S3Exception)",
        r"(S3Exception|ClientError|HeadObject).*(\b403\b|Forbidden)",
        r"not authorized to access",
        r"INSUFFICIENT_PERMISSIONS",
        cause="AWS denied access: the role does not have the permission.",
        advice=(
            "allow the action for the role of the instance profile (job_flow_role), or the step's runtime role: "
            "`flowspec iam` prints a policy for the spec; check the bucket's policy and the KMS key, too"
        ),
        source="S3, AccessDenied; IAM",
    ),
    make_rule(
        "credentials-missing",
        r"Unable to locate credentials",
        r"NoCredentialsError",
        r"Unable to load (AWS )?credentials",
        r"NoAuthWithAWSException",
        r"No AWS Credentials provided",
        cause="The program found no AWS credentials.",
        advice=(
            "let it use the instance profile (job_flow_role); check that nothing hides the profile, such as the "
            "variable AWS_EC2_METADATA_DISABLED"
        ),
        source="botocore, NoCredentialsError; AWS SDK for Java",
    ),
    make_rule(
        "credentials-expired",
        r"ExpiredToken",
        r"security token included in the request is (expired|invalid)",
        r"InvalidAccessKeyId",
        r"SignatureDoesNotMatch",
        r"InvalidClientTokenId",
        cause="The AWS credentials have expired or are not valid.",
        advice="use the instance profile (job_flow_role) instead of keys; check the clock of the machine",
        source="AWS common errors",
    ),
    make_rule(
        "bucket-missing",
        r"NoSuchBucket",
        r"The specified bucket does not exist",
        r"UnknownStoreException",
        r"Bucket \S+ does not exist",
        cause="There is no such S3 bucket.",
        advice="check the name of the bucket, and that it has not been deleted",
        source="S3, NoSuchBucket; Hadoop S3A",
    ),
    make_rule(
        "bucket-region",
        r"PermanentRedirect",
        r"AuthorizationHeaderMalformed",
        r"must be addressed using the specified endpoint",
        r"BucketRegionError",
        cause="The S3 bucket is in another region.",
        advice="give the client the bucket's region or endpoint",
        source="S3, PermanentRedirect",
    ),
    make_rule(
        "throttled",
        r"SlowDown",
        r"Please reduce your request rate",
        r"ThrottlingException",
        r"Rate exceeded",
        r"ProvisionedThroughputExceeded",
        r"TooManyRequestsException",
        cause="AWS throttled the requests.",
        advice="send fewer at a time (fewer partitions, larger files), spread keys over prefixes, allow more retries",
        source="S3, 503 Slow Down; AWS common errors",
    ),
    # -- the data
    make_rule(
        "output-exists",
        r"Output (directory|path) \S+ already exists",
        r"FileAlreadyExistsException",
        r"PATH_ALREADY_EXISTS",
        r"path \S+ already exists",
        r"TABLE_OR_VIEW_ALREADY_EXISTS",
        r"TABLE_ALREADY_EXISTS",
        r"LOCATION_ALREADY_EXISTS",
        r"\bmkdir: .*File exists",
        cause="The output exists already, and by default Hadoop and Spark do not overwrite it.",
        advice="delete it, write to another place (one per day, with `{{ ds }}`), or use `.mode('overwrite')` in Spark",
        source="Hadoop, FileOutputFormat.checkOutputSpecs; " + _SPARK,
    ),
    make_rule(
        "input-missing",
        r"Input path does not exist",
        r"Input Pattern \S+ matches 0 files",
        r"PATH_NOT_FOUND",
        r"Path does not exist",
        r"There is no such (file or )?(folder|directory) .*src",
        r"(--src|source)\b.*(does not exist|not found|no such)",
        cause="The input does not exist.",
        advice="check the step's input, the date in it, and that its data has arrived",
        source="Hadoop, FileInputFormat; " + _SPARK,
    ),
    make_rule(
        "input-not-a-file",
        r"\b[Nn]ot a file: ",
        r"is a directory, which is not supported by the record reader",
        cause="The input has a folder, or something else that is not a file, where Hadoop reads only files.",
        advice=(
            "name the folder that the files are in (or several, by a glob: in/*/), or read subfolders, too, with the "
            "property mapreduce.input.fileinputformat.input.dir.recursive: true"
        ),
        source="Hadoop, FileInputFormat.getSplits; HDFS, INodeFile.valueOf",
    ),
    make_rule(
        "damaged-input",
        r"not in gzip format",
        r"Not a gzipped file",
        r"invalid (block type|stored block|distance|code lengths)",
        r"unexpected end of (input stream|file)",
        r"incorrect (data|header) check",
        r"is not a Parquet file",
        r"CANNOT_READ_FILE_FOOTER",
        r"FAILED_READ_FILE\.(NO_HINT|CANNOT_READ)",
        r"ZipException",
        r"[Cc]orrupt(ed)? (file|block|record)",
        r"CRC (check|mismatch)",
        r"crc mismatch",
        r"Compressed file ended before",
        r"Unexpected end of ZLIB",
        r"Malformed ORC file",
        r"stream of \.bz2",
        r"not a SequenceFile",
        r"ChecksumException",
        r"invalid compressed data",
        r"EOFException: Unexpected end of input",
        # BuiltInGzipDecompressor, CBZip2InputStream; OkHttp has an "unexpected end of stream", too, and says where.
        r"not a gzip file|gzip stream CRC failure|stored gzip size doesn't match",
        r"IOException: (crc error|unexpected end of stream)$",
        cause="An input file is damaged, cut short, or of another format.",
        advice="check the file that the log names; write it again, or leave it out of the input",
        source="zlib, Hadoop's codecs; " + _SPARK,
    ),
    make_rule(
        "text-encoding",
        r"UnicodeDecodeError",
        r"UnicodeEncodeError",
        r"MalformedInputException",
        r"UnmappableCharacterException",
        cause="Text was not in the encoding that the program expects.",
        advice=(
            "give the encoding of the data when the program reads it (latin-1 …), or how to treat invalid bytes "
            "(errors='replace')"
        ),
        source="Python, UnicodeError; java.nio.charset",
    ),
    make_rule(
        "table-missing",
        r"TABLE_OR_VIEW_NOT_FOUND",
        r"SCHEMA_NOT_FOUND",
        r"Table or view not found",
        r"Table not found",
        r"NoSuchTableException",
        r"NoSuchObjectException",
        r"EntityNotFoundException",
        r"Database '?\S+'? not found",
        r"Invalid table alias or column reference",
        r"Line \d+:\d+ Table not found",
        cause="A table or database is not in the catalog.",
        advice=(
            "check its name and database, and which catalog the cluster uses (Glue: the configuration hive-site or "
            "spark-hive-site with its client factory)"
        ),
        source="Glue, EntityNotFoundException; Hive, ErrorMsg.INVALID_TABLE; " + _SPARK,
    ),
    make_rule(
        "column-missing",
        r"UNRESOLVED_COLUMN",
        r"cannot resolve '?[`\w.]+'?",
        r"FIELD_NOT_FOUND",
        r"Invalid column reference",
        r"_LEGACY_ERROR_TEMP_1\d\d\d.*column",
        cause="A query names a column that its table does not have.",
        advice="compare the name with the schema (printSchema()); the log lists the nearest names",
        source=_SPARK,
    ),
    make_rule(
        "sql-syntax",
        r"PARSE_SYNTAX_ERROR",
        r"ParseException",
        r"PARSE_EMPTY_STATEMENT",
        r"mismatched input .* expecting",
        r"FAILED: ParseException",
        r"cannot recognize input near",
        cause="A SQL statement has a syntax error.",
        advice="correct it at the line and position that the log names",
        source="Hive, ParseException; " + _SPARK,
    ),
    make_rule(
        "data-source-missing",
        r"DATA_SOURCE_NOT_FOUND",
        r"Failed to find( the)? data source",
        r"ClassNotFoundException: \S+\.DefaultSource",
        cause="Spark has no data source of this format.",
        advice=(
            "ship its library (`packages:`, `jars:`), or configure it for the release (Delta, Iceberg and Hudi are "
            "classifications of EMR)"
        ),
        source=_SPARK,
    ),
    make_rule(
        "bad-data",
        r"CAST_INVALID_INPUT",
        r"CAST_OVERFLOW",
        r"DIVIDE_BY_ZERO",
        r"ARITHMETIC_OVERFLOW",
        r"CANNOT_PARSE_TIMESTAMP",
        r"MALFORMED_RECORD_IN_PARSING",
        r"NUMERIC_VALUE_OUT_OF_RANGE",
        r"INVALID_ARRAY_INDEX",
        r"FAILED_READ_FILE\.PARQUET_COLUMN_DATA_TYPE_MISMATCH",
        r"PARQUET_COLUMN_DATA_TYPE_MISMATCH",
        r"Parquet column cannot be converted",
        r"SchemaColumnConvertNotSupportedException",
        cause="A value or a type in the data is not what the query expects.",
        advice=(
            "check the value that the log names; try_cast and try_divide return null instead of an error, and "
            "spark.sql.ansi.enabled=false restores the behaviour of Spark 3"
        ),
        source=_SPARK,
    ),
    make_rule(
        "spark-analysis",
        r"pyspark\.errors\.exceptions\.\w+\.AnalysisException",
        r"org\.apache\.spark\.sql\.(catalyst\.ExtendedA|A)nalysisException",
        cause="Spark can't analyse a query.",
        advice="read its message: it names the part of the query that is wrong",
        source=_SPARK,
    ),
    make_rule(
        "spark-context-in-task",
        r"CONTEXT_ONLY_VALID_ON_DRIVER",
        r"SparkContext (can|should) only be (used|created)",
        r"It appears that you are attempting to reference SparkContext",
        cause="Code that runs in the tasks uses the SparkContext, which only the driver has.",
        advice="compute in the driver what the tasks need, and pass it as plain values or a broadcast variable",
        source=_SPARK,
    ),
    make_rule(
        "task-not-serializable",
        r"Task not serializable",
        r"PicklingError",
        r"Could not serialize object",
        cause="A function for the tasks refers to something that can't be serialized and sent to them.",
        advice="create connections, clients and locks inside the function (or per partition), not outside",
        source="Spark, ClosureCleaner; cloudpickle",
    ),
    # -- programs, classes and modules that are not there
    make_rule(
        "python-version",
        r"PYTHON_VERSION_MISMATCH",
        r"Python in worker has different version",
        r"Missing parentheses in call to '(print|exec)'",
        r"has no attribute '(iteritems|itervalues|iterkeys|has_key|xrange)'",
        r"name '(xrange|unicode|raw_input|basestring|unichr|reduce)' is not defined",
        r"No module named '?(urllib2|ConfigParser|cPickle|StringIO|Queue|__builtin__)'?$",
        r"requires Python '?[<>=]",
        r"requires a different Python",
        r"multiple exception types must be parenthesized",
        r"leading zeros in decimal integer literals",
        cause="The program was written for another version of Python than the one that runs it.",
        advice=(
            "update the program, or choose another Python: by the script's first line, or spark.pyspark.python; the "
            "EMR release decides which versions are installed"
        ),
        source="Python 3, What's New in 3.0; " + _SPARK,
    ),
    make_rule(
        "windows-line-ends",
        r"\\r['\u2019]?: (No such file|(command )?not found)",
        r"(\r|\^M)['\u2019]?: (bad interpreter|No such file|(command )?not found|invalid|numeric argument)",
        r"No such file or directory: '/\S*bin/[^/']+\\r'",
        r"unexpected token `\$'\S*\\r'",
        cause="The script has Windows line ends: its interpreter, or a word in it, ends with a carriage return.",
        advice="save it with Unix line ends (dos2unix), and let git keep them (.gitattributes: *.py text eol=lf)",
        source="GNU env; bash, dash; Linux, binfmt_script",
    ),
    make_rule(
        "python-module-missing",
        r"ModuleNotFoundError: No module named (?P<name>'[\w.]+')",
        r"ImportError: No module named (?P<old>\S+)",
        r"ImportError: cannot import name",
        cause="A Python module is not installed where the program runs.",
        advice=(
            "list it in the requirements file of `python:`, ship it (`py_files:`, `files:`, `archives:`), or install "
            "it on every node by a bootstrap action"
        ),
        source="Python, ModuleNotFoundError",
    ),
    make_rule(
        "pip-requirement",
        r"No matching distribution found",
        r"Could not find a version that satisfies the requirement",
        r"ResolutionImpossible",
        r"Failed building wheel",
        r"pip's dependency resolver",
        r"Could not build wheels",
        cause="pip could not find or build a suitable version of a package.",
        advice=(
            "check its name and version, that it supports the Python of the release, and that pip can reach its index "
            "from the cluster's network"
        ),
        source="pip",
    ),
    make_rule(
        "script-not-shipped",
        r"can't open file",
        r"Can't open perl script",
        r"No such file or directory -- .*\.rb",
        r"can't open source file",
        r"awk: .*can't open",
        r"[Cc]annot open file '?\S+\.\w+",
        r"Could not open input file",
        cause="The interpreter did not find the script that the command names.",
        advice="ship the script: `files: [script]`, or name it as the mapper itself",
        source="python, perl, ruby, gawk, php",
    ),
    make_rule(
        "program-missing",
        r"Cannot run program",
        r"there is no program",
        r"error=2, No such file or directory",
        r"exec: .*: not found",
        r"FileNotFoundError: \[Errno 2\] No such file or directory: '(?P<bare>[\w+-]+)'$",
        r"Unable to find (executable|program)",
        cause="A program could not be started: it, or the interpreter in its first line, does not exist there.",
        advice=(
            "ship the program (`mapper: script.py`, `files:`), give its full path, install it by a bootstrap action, "
            "or correct the script's first line (`#!/usr/bin/env python3`)"
        ),
        source="java.lang.ProcessBuilder; Python, subprocess",
    ),
    make_rule(
        "shebang-missing",
        r"\.(py|pl|rb|R|js|scala): (line )?[0-9]+: ",
        cause="A shell ran a program of another language, whose first line names no interpreter.",
        advice=(
            "begin the file with the line of its interpreter, such as `#!/usr/bin/env python3`, and with no byte order "
            "mark before it"
        ),
        source="bash, dash; POSIX, execvp() of a file that is no program",
    ),
    make_rule(
        "command-not-found",
        r": (command )?not found$",
        r": command not found",
        *_exit_status_patterns(127),
        r"env: .*: No such file or directory",
        r"bad interpreter: No such file",
        r"cannot execute: required file not found",
        cause="A shell or a shebang line names a program that is not installed.",
        advice=(
            "install it by a bootstrap action, ship it with the step, or correct its name (a script's first line must "
            "not end with CR LF)"
        ),
        source="POSIX sh, exit status 127; GNU env",
    ),
    make_rule(
        "java-version",
        r"UnsupportedClassVersionError",
        r"has been compiled by a more recent version of the Java Runtime",
        cause="The jar was compiled for a newer Java than the one that runs it.",
        advice="compile for the Java of the release (javac --release 8 or 17), or set JAVA_HOME to a newer Java",
        source="HotSpot, UnsupportedClassVersionError",
    ),
    make_rule(
        "library-conflict",
        r"NoSuchMethodError",
        r"NoSuchFieldError",
        r"AbstractMethodError",
        r"IncompatibleClassChangeError",
        r"ClassCastException: .*loader",
        r"VerifyError",
        r"IllegalAccessError",
        cause="Two versions of a library conflict: the jar was compiled with another version than it finds.",
        advice="build against the versions of the release (Hadoop, Spark and Scala as provided), or shade the library",
        source="HotSpot, LinkageError",
    ),
    make_rule(
        "class-missing",
        r"ClassNotFoundException",
        r"NoClassDefFoundError",
        r"class not found",
        r"Failed to load class",
        r"Could not find or load main class",
        r"Class \S+ not found",
        cause="A Java class is in none of the jars.",
        advice=(
            "check the full name of the class and the jar; ship its jar (`libjars:`, `jars:`), or build one jar with "
            "all dependencies"
        ),
        source="java.lang.ClassNotFoundException; Hadoop Streaming; spark-submit",
    ),
    # -- the command line
    make_rule(
        "bad-options",
        r"[Uu]nrecognized (option|argument)",
        r"Unknown (option|command)",
        r"unknown option",
        r"invalid option",
        r"No such option",
        r"the following arguments are required",
        r"Unexpected .* while processing",
        r"Found unrecognized arguments",
        r"Missing required (option|argument)",
        r"invalid choice:",
        r"unexpected argument",
        r"Did you mean -\w+",
        cause="The command line has an option or argument that the program does not take.",
        advice="correct the step's args; `flowspec compile` shows the arguments that EMR gets",
        source="Hadoop Streaming, GenericOptionsParser; spark-submit; argparse, click; getopt",
    ),
    make_rule(
        "shell-syntax",
        r"syntax error (near|:|in)",
        r"[Ss]yntax error: ",
        r"unexpected EOF while looking for",
        r"unexpected end of file",
        cause="The shell script has a syntax error.",
        advice="check it with `bash -n script.sh`",
        source="bash, dash",
    ),
    make_rule(
        "shell-unbound-variable",
        r": unbound variable$",
        r": parameter not set$",
        r": parameter null or not set",
        cause="The shell script uses a variable that is not set.",
        advice="give it a value (the step's args, an environment variable), or a default: ${NAME:-default}",
        source="bash, set -u",
    ),
    make_rule(
        "bad-property",
        r"INVALID_CONF_VALUE",
        r" should be (int|long|double|boolean|float), but was ",
        cause="A property has a value of the wrong type, or one that is not allowed.",
        advice="correct the property that the log names",
        source="Spark, ConfigHelpers.toNumber",
    ),
    # -- files
    make_rule(
        "permission-denied",
        r"Permission denied",
        r"PermissionError",
        r"AccessControlException",
        r"Operation not permitted",
        cause="The user that runs the step may not read, write or run a file.",
        advice="change its owner or mode (chmod +x for a script), or write to another place",
        source="Linux, EACCES; HDFS, FSPermissionChecker",
    ),
    make_rule(
        "bootstrap-script-missing",
        r"bootstrap action \d+ failed to (start|download)",
        r"BA_DOWNLOAD_FAILED",
        cause="The script of a bootstrap action could not be fetched.",
        advice="check its path, and that the job flow role may read it",
        source="EMR ErrorDetail codes (BOOTSTRAP_FAILURE_BA_DOWNLOAD_FAILED_PRIMARY)",
    ),
    make_rule(
        "file-missing",
        r"No such file or directory",
        r"FileNotFoundException",
        r"FileNotFoundError",
        r"NoSuchFileException",
        r"NoSuchKey",
        r"\(404\).*Not Found",
        r"Not Found.*(404|HeadObject)",
        r"[Tt]here is no such file",
        r"File does not exist",
        r"does not exist$",
        r"JAR does not exist",
        r"File file:\S+ does not exist",
        cause="A file does not exist.",
        advice="check its path; ship a local file with the step (`files:`), and give full URIs of S3 objects",
        source="java.io, Python, S3, Linux (ENOENT)",
    ),
    make_rule(
        "counter-limit",
        r"Too many counters",
        r"LimitExceededException",
        cause="The job has more counters than Hadoop allows.",
        advice="count fewer things (no counter per value), or raise mapreduce.job.counters.max",
        source="Hadoop, mapreduce.counters.Limits",
    ),
    make_rule(
        "io-error",
        r"Input/output error",
        r"Read-only file system",
        cause="The system could not read or write a file: the file system is read-only, or the device fails.",
        advice="write to another place; if a disk of the node fails, replace the node",
        source="Linux, EIO and EROFS",
    ),
    # -- the network
    make_rule(
        "connection-refused",
        r"Connection refused",
        r"ConnectionRefusedError",
        cause="Nothing listens at an address that the program connects to.",
        advice=(
            "check host and port, that the service runs, and that security groups and subnets let the cluster reach it"
        ),
        source="Linux, ECONNREFUSED",
    ),
    make_rule(
        "unknown-host",
        r"UnknownHostException",
        r"Name or service not known",
        r"Temporary failure in name resolution",
        r"getaddrinfo failed",
        r"Could not resolve host",
        r"nodename nor servname",
        cause="A host name could not be resolved.",
        advice="check the name, and that the DNS of the VPC resolves it",
        source="java.net, glibc's getaddrinfo",
    ),
    make_rule(
        "tls",
        r"CERTIFICATE_VERIFY_FAILED",
        r"SSLHandshakeException",
        r"PKIX path building failed",
        r"certificate verify failed",
        r"SSLError",
        cause="A TLS connection failed: the server's certificate is not trusted.",
        advice="install the certificate of its certificate authority by a bootstrap action; don't disable the check",
        source="OpenSSL; Java, sun.security.validator",
    ),
    make_rule(
        "network-timeout",
        r"^TimeoutError\b",
        r"socket\.timeout",
        r"ConnectTimeout",
        r"SocketTimeoutException",
        r"Connection timed out",
        r"Read timed out",
        r"Connect timed out",
        r"ReadTimeoutError",
        r"Network is unreachable",
        r"No route to host",
        cause="A host did not answer in time.",
        advice=(
            "check that security groups, route tables and endpoints (a private subnet needs one for S3) let the "
            "cluster reach it"
        ),
        source="java.net, botocore, Linux (ETIMEDOUT)",
    ),
    make_rule(
        "task-timeout",
        r"[Tt]imed out after \d+ sec",
        r"failed to report status for \d+ seconds",
        r"task attempt .* timed out",
        cause="A task neither read nor wrote nor reported anything for longer than mapreduce.task.timeout.",
        advice=(
            "let it report (`reporter:status:…` on stderr), do less per record, or raise mapreduce.task.timeout "
            "(milliseconds)"
        ),
        source="Hadoop, TaskHeartbeatHandler",
    ),
    make_rule(
        "step-timeout",
        r"it ran longer than its timeout( of \d+ s)?$",
        cause="The step ran longer than the `timeout` that its spec gives it, and its watcher cancelled it.",
        advice="look at the end of its logs for what it waited for; raise its `timeout` if it only needs more time",
        source="flowspec.backend.aws.runs.settle",
    ),
    make_rule(
        "broken-pipe",
        r"Broken pipe",
        r"BrokenPipeError",
        cause="A program ended, or closed its standard input, before it had read all of its input.",
        advice="let it read standard input to the end",
        source="Linux, EPIPE; Hadoop Streaming, PipeMapRed",
    ),
    # -- this machine, in place of a cluster
    make_rule(
        "local-worker-killed",
        r"the worker process of the embedded EMR (died|was terminated)",
        cause=(
            "The process that runs the steps of local runs was killed (SIGKILL or SIGTERM), or the machine restarted; "
            "the step ended with it."
        ),
        advice=(
            f"run what is left: {RERUN}; if nobody ended it, memory ran out most often "
            f"({_KERNEL_LOG}), or the machine restarted (`last reboot`)"
        ),
        source="flowspec.emulator.worker",
    ),
    make_rule(
        "local-worker-failed",
        r"the worker process (of the embedded EMR failed|could not be started)",
        cause="The process that runs the steps of local runs failed; the step ended with it.",
        advice="correct what EMR's message names; the whole error is in clusters/CLUSTER/worker.log of FLOWSPEC_HOME",
        source="flowspec.emulator.worker",
    ),
    make_rule(
        "local-home-copied",
        r"this FLOWSPEC_HOME is a copy",
        cause="The state of local runs was copied while the cluster ran; it goes on in the folder copied from.",
        advice="watch it with FLOWSPEC_HOME set to that folder, or run it again here: flowspec apply SPEC",
        source="flowspec.emulator.worker",
    ),
    # -- how a program ended, where nothing says why
    make_rule(
        "process-killed",
        *_exit_status_patterns(137, 143),
        r"Container killed on request",
        r": line \d+: +\d+ (Killed|Terminated)\b",
        r"died with <Signals\.SIG(KILL|TERM)",
        cause=(
            "The process was killed: 137 is SIGKILL, most often because memory ran out; 143 is SIGTERM, from YARN or "
            "because someone ended it."
        ),
        advice=(
            f"give it more memory, or let it hold less ({_KERNEL_LOG}); check whether the step or the application was "
            "cancelled"
        ),
        source="POSIX sh (128 + signal); YARN, ContainerExecutor.ExitCode",
        weight=Weight.SYMPTOM,
    ),
    make_rule(
        "process-interrupted",
        *_exit_status_patterns(130),
        r"^KeyboardInterrupt\b",
        r"died with <Signals\.SIGINT",
        cause="The process was interrupted: SIGINT, which Ctrl-C sends, is exit status 130.",
        advice=f"run it again: {RERUN}; if nobody interrupted it, look for what sends SIGINT",
        source="POSIX sh (128 + signal); Python, KeyboardInterrupt",
        weight=Weight.SYMPTOM,
    ),
    make_rule(
        "process-crashed",
        r"Segmentation fault",
        *_exit_status_patterns(132, 134, 135, 136, 139),
        r"SIGSEGV",
        r"core dumped",
        cause="The process crashed in native code (a signal such as SIGSEGV).",
        advice=(
            "check its native libraries: they may be compiled for another architecture (arm64 or x86_64) or another "
            "version of Python or glibc"
        ),
        source="POSIX sh (128 + signal)",
        weight=Weight.SYMPTOM,
    ),
    make_rule(
        "process-broken-pipe",
        *_exit_status_patterns(141),
        r"died with <Signals\.SIGPIPE",
        cause="The process wrote into a pipe whose reader had ended: 141 is SIGPIPE.",
        advice="let the reader read to the end: `| head` with `set -o pipefail` is such a reader",
        source="POSIX sh (128 + signal); Linux, SIGPIPE",
        weight=Weight.SYMPTOM,
    ),
    make_rule(
        "command-not-executable",
        *_exit_status_patterns(126),
        cause="A program was found but could not be run: 126 is what a shell and `env` say of that.",
        advice=(
            "make it executable (chmod +x), and check the interpreter in its first line and the architecture it was "
            "compiled for (arm64 or x86_64)"
        ),
        source="POSIX sh, exit status 126; GNU env",
        weight=Weight.SYMPTOM,
    ),
    make_rule(
        "bootstrap-failed",
        r"bootstrap action \d+ returned a non-zero",
        r"BOOTSTRAP_FAILURE.*NON_ZERO_CODE",
        r"application provisioning failed",
        cause="A bootstrap action ended with an error.",
        advice="run its script on an instance of the same release; `set -x` in the script shows where it fails",
        source="EMR StateChangeReason",
        weight=Weight.SYMPTOM,
    ),
    make_rule(
        "master-failed",
        r"The master (node|instance).* (was terminated|failed)",
        r"MASTER_FAILURE",
        cause="The master instance failed.",
        advice="look at the state of its instance; let the master be on demand",
        source="EMR Management Guide, Troubleshoot a cluster",
        weight=Weight.SYMPTOM,
    ),
    make_rule(
        COMMAND_FAILED,
        rf"{COMMAND_FAILURE} (?P<name>\d+)",
        cause="A command of the streaming job ended with exit code {name}.",
        advice="let it write to stderr why it ends",
        source="Hadoop Streaming, PipeMapRed.waitOutputThreads",
        weight=Weight.SYMPTOM,
    ),
    # -- exceptions of the program's own
    make_rule(
        "java-exception",
        r"(?P<name>\b(?:java|javax|jdk|scala|kotlin|org|com|net|io|sun|software)\.(?:[\w$]+\.)*[A-Z][\w$]*)",
        cause="The Java program ended with an exception that it did not catch: {name}.",
        advice="look at the first line of your own code in the stack trace",
        source="java.lang.Throwable.printStackTrace",
        weight=Weight.EXCEPTION,
    ),
    make_rule(
        "python-exception",
        r"^(?!KeyboardInterrupt\b)(?P<name>(?:\w+\.)*[A-Z]\w*(?:Error|Exception|Warning|Interrupt|Exit|Iteration))\b",
        cause="The Python program ended with an exception that it did not catch: {name}.",
        advice=(
            "look at the line of the program that the traceback names, and run it on part of the data (`backend: "
            "local`)"
        ),
        source="Python, traceback",
        weight=Weight.EXCEPTION,
    ),
)

SYMPTOMS = frozenset(rule.id for rule in RULES if rule.weight is Weight.SYMPTOM)
"""The ids of the causes that only say how a program ended."""

WRAPPERS: tuple[re.Pattern[str], ...] = tuple(
    map(
        re.compile,
        (
            r"PipeMapRed\.waitOutputThreads\(\): subprocess failed with code",
            r"^(py4j\.protocol\.)?Py4JJavaError: ",
            r"^py4j\.protocol\.Py4JNetworkError",
            r"CalledProcessError: .*returned non-zero exit status",
            r"^(java\.lang\.reflect\.)?InvocationTargetException$",
            r"org\.apache\.spark\.SparkUserAppException: User application exited with \d+",
            r"SparkException: Application \S+ finished with failed status",
            r"YarnException|^Streaming Command Failed!|Job not successful!|failed with state FAILED",
            r"pyspark\.errors\.exceptions\.\w+\.PythonException|org\.apache\.spark\.api\.python\.PythonException",
            r"org\.apache\.spark\.SparkException: (\[\w+\] )?Job aborted|[Jj]ob aborted due to stage failure",
            r"ExitCodeException exitCode=1\b",
            r"SparkException: Job \d+ cancelled because SparkContext was shut down",
        ),
    )
)
"""Exceptions that only say that another operation failed; they are not the cause."""
