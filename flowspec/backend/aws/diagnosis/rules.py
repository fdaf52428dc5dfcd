"""The known causes of failures, as data.

A rule's pattern is searched for in single lines: those of the exceptions that ended a program, its last words, and
what EMR says. The first rule that matches a line counts, so the special ones come before the general ones.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum

UNKNOWN = "unknown"
"""The id of the cause of a failure that no rule knows."""

CANCELLED = "cancelled"
"""The id of the cause of a run in which nothing failed."""


class Weight(Enum):
    """The weight of a match of a rule.

    SPECIFIC: it is the cause, wherever the last lines of the program are. EXCEPTION: an exception of the program's own,
    which is the cause where it is the one that ended it. SYMPTOM: how the program ended; counts only if nothing says
    why.
    """

    SPECIFIC = 1
    EXCEPTION = 2
    SYMPTOM = 3


@dataclass(frozen=True, slots=True)
class Rule:
    """A known cause: `pattern` is searched for in a line, `source` is where its words come from.

    Named groups of the pattern may be used in `cause` and `advice`.
    """

    id: str
    pattern: re.Pattern[str]
    cause: str
    advice: str
    source: str
    weight: Weight = field(default=Weight.SPECIFIC)


def _rule(id_: str, pattern: str, *words: str | Weight) -> Rule:
    return Rule(id_, re.compile(pattern), *words)  # type: ignore[arg-type]


# Where the words come from.
_HADOOP, _SPARK, _EMR = "Hadoop", "Spark's error-conditions.json", "EMR Management Guide, Troubleshoot a cluster"

RULES: tuple[Rule, ...] = (
    # -- YARN and memory
    _rule(
        "container-memory",
        r"running beyond (the )?'?(PHYSICAL|physical|VIRTUAL|virtual)'? memory limit|"
        r"[Kk]illed by YARN for exceeding (physical |virtual )?memory limits",
        "YARN killed a container that used more memory than it had asked for.",
        "ask for more: spark.executor.memoryOverhead (or spark.driver.memoryOverhead), mapreduce.map.memory.mb or "
        "mapreduce.reduce.memory.mb; or let each task hold less (more partitions, smaller splits)",
        "ContainersMonitorImpl (YARN), YarnAllocator (Spark)",
    ),
    _rule(
        "gc-overhead",
        r"GC overhead limit exceeded",
        "The Java heap was so full that nearly all time went into garbage collection.",
        "raise the heap (driver_memory, executor_memory, mapreduce.*.java.opts), or hold less in memory at once",
        "HotSpot, java.lang.OutOfMemoryError",
    ),
    _rule(
        "java-heap",
        r"OutOfMemoryError: (Java heap space|Requested array size|Metaspace|Cannot reserve)|"
        r"SparkOutOfMemoryError|UNABLE_TO_ACQUIRE_MEMORY|insufficient memory for the Java Runtime",
        "A Java process ran out of memory.",
        "raise the memory of the process that ran out (driver_memory, executor_memory, mapreduce.*.java.opts); don't "
        "collect large data in the driver",
        "HotSpot, java.lang.OutOfMemoryError",
    ),
    _rule(
        "python-memory",
        r"^(numpy[\w.]*\.)?_?(Array)?MemoryError\b",
        "A Python program ran out of memory.",
        "read and write piece by piece instead of holding all, or give the task more memory",
        "Python, MemoryError",
    ),
    _rule(
        "java-stack-overflow",
        r"java\.lang\.StackOverflowError",
        "A Java thread used up its stack: a recursion without end, or a very deep plan or expression.",
        "end the recursion; for a deep Spark plan checkpoint in between, or raise -Xss in the Java options",
        "HotSpot, java.lang.StackOverflowError",
    ),
    _rule(
        "result-too-big",
        r"is bigger than (local )?spark\.driver\.maxResultSize|maxResultSize",
        "The tasks sent more data to the driver than spark.driver.maxResultSize allows.",
        "write the result out instead of collecting it, or raise spark.driver.maxResultSize",
        "Spark, TaskSetManager",
    ),
    _rule(
        "kryo-buffer",
        r"Kryo serialization failed: Buffer overflow|Buffer overflow\. Available: \d+, required",
        "An object was larger than Kryo's buffer.",
        "raise spark.kryoserializer.buffer.max",
        "Spark, KryoSerializer",
    ),
    _rule(
        "broadcast-timeout",
        r"Could not execute broadcast in \d+ secs|EXECUTE_BROADCAST_TIMEOUT",
        "Spark did not get a table for a broadcast join in time.",
        "raise spark.sql.broadcastTimeout, or set spark.sql.autoBroadcastJoinThreshold to -1",
        "Spark, BroadcastExchangeExec",
    ),
    # -- machines
    _rule(
        "cluster-invalid",
        r"VALIDATION_ERROR",
        "EMR refused to make the cluster as asked for.",
        "read EMR's message: it names the subnet, role, security group or type that does not fit",
        "EMR StateChangeReason",
    ),
    _rule(
        "spot-loss",
        r"[Ss]pot [Ii]nstance|SPOT_(INTERRUPTION|TERMINATION)|Container released on a \*?lost\*? node|"
        r"instance-(terminated|stopped)-(by|no)|"
        r"(Decommissioned|decommissioned) (executor|node).*spot|"
        r"All slaves in the job flow were terminated",
        "EC2 took instances of the cluster away, most likely spot instances.",
        "run the master and core groups on demand and only task groups on spot, or choose several instance types",
        "EMR StateChangeReason; YARN, RMContainerImpl.ContainerReleasedOnLostNode",
    ),
    _rule(
        "no-capacity",
        r"INSUFFICIENT_CAPACITY|out of capacity|InsufficientInstanceCapacity|INSTANCE_FLEET_TIMEOUT|"
        r"insufficient (instance )?capacity",
        "EC2 had not enough instances of the wanted types.",
        "give instance fleets with more types, more subnets (ec2_subnet_ids), or a longer timeout with on-demand "
        "instances",
        "EMR ErrorDetail codes; EC2",
    ),
    _rule(
        "quota",
        r"EXCEEDED_QUOTA|VcpuLimitExceeded|InstanceLimitExceeded|exceeds your (EC2 )?(instance |vCPU )?(quota|limit)",
        "A quota of the AWS account is used up.",
        "ask for a higher quota (Service Quotas), or run fewer or smaller instances",
        "EMR ErrorDetail codes; EC2",
    ),
    _rule(
        "node-lost",
        r"marked unhealthy|local-dirs (are bad|usable space)|Container from a bad node|NodeManager .* (lost|"
        r"unhealthy)|UNHEALTHY",
        "A node was lost, or YARN took it for unhealthy: most often its disk was full.",
        "give the nodes larger EBS volumes, and look at the instance states of the cluster",
        "YARN, NodeHealthCheckerService; Spark, YarnAllocator",
    ),
    _rule(
        "disk-full",
        r"No space left on device|Disk quota exceeded|could only be written to 0 of the|"
        r"DiskErrorException: Could not find any valid local directory",
        "A disk was full.",
        "give the nodes larger or more EBS volumes, or delete what is not needed; intermediate data needs about as "
        "much space as the input",
        "Linux, ENOSPC; HDFS, BlockManager; Hadoop, LocalDirAllocator",
    ),
    _rule(
        "executor-failures",
        r"Max number of executor failures \(\d+\) reached",
        "Too many of Spark's executors failed.",
        "read the stderr of the executors' containers: often it is memory (spark.executor.memoryOverhead) or "
        "lost nodes",
        "Spark, ApplicationMaster",
    ),
    _rule(
        "fetch-failed",
        r"FetchFailed|MetadataFetchFailedException|Failed to (fetch|connect to) .*shuffle|"
        r"Exceeded MAX_FAILED_UNIQUE_FETCHES|shuffle in fetcher|Missing an output location for shuffle",
        "Tasks could not fetch the output of earlier ones: the nodes or executors that held it are gone or overloaded.",
        "look why they were lost (memory, spot instances, full disks); give executors more memoryOverhead",
        "Spark, FetchFailedException; Hadoop, ShuffleSchedulerImpl",
    ),
    _rule(
        "executor-lost",
        r"ExecutorLostFailure|Lost executor|Executor heartbeat timed out|Remote RPC client disassociated",
        "A Spark executor was lost while it ran a task.",
        "read the stderr of its container; often it is memory (spark.executor.memoryOverhead) or a lost node",
        "Spark, TaskSetManager",
    ),
    # -- access
    _rule(
        "access-denied",
        r"Access ?Denied|AccessDeniedException|UnauthorizedOperation|is not authorized to perform|"
        r"\b403\b.*(Forbidden|S3Exception)|(S3Exception|ClientError|HeadObject).*(\b403\b|Forbidden)|"
        r"not authorized to access|INSUFFICIENT_PERMISSIONS",
        "AWS refused access: the role may not do this.",
        "allow the action to the job flow role (or the step's runtime role) in IAM; look at the bucket's policy "
        "and the KMS key, too",
        "S3, AccessDenied; IAM",
    ),
    _rule(
        "credentials-missing",
        r"Unable to locate credentials|NoCredentialsError|Unable to load (AWS )?credentials|"
        r"NoAuthWithAWSException|No AWS Credentials provided",
        "The program found no AWS credentials.",
        "let it use the instance profile (job_flow_role), and let nothing hide it, such as AWS_EC2_METADATA_DISABLED",
        "botocore, NoCredentialsError; AWS SDK for Java",
    ),
    _rule(
        "credentials-expired",
        r"ExpiredToken|security token included in the request is (expired|invalid)|InvalidAccessKeyId|"
        r"SignatureDoesNotMatch|InvalidClientTokenId",
        "The AWS credentials have expired or are not valid.",
        "use the instance profile (job_flow_role) instead of keys; check the clock of the machine",
        "AWS common errors",
    ),
    _rule(
        "bucket-missing",
        r"NoSuchBucket|The specified bucket does not exist|UnknownStoreException|Bucket \S+ does not exist",
        "There is no such S3 bucket.",
        "check the bucket's name, and that it is in this account's reach",
        "S3, NoSuchBucket; Hadoop S3A",
    ),
    _rule(
        "bucket-region",
        r"PermanentRedirect|AuthorizationHeaderMalformed|must be addressed using the specified endpoint|"
        r"BucketRegionError",
        "The S3 bucket is in another region.",
        "give the client the bucket's region or endpoint",
        "S3, PermanentRedirect",
    ),
    _rule(
        "throttled",
        r"SlowDown|Please reduce your request rate|ThrottlingException|Rate exceeded|"
        r"ProvisionedThroughputExceeded|TooManyRequestsException",
        "AWS throttled the requests.",
        "send fewer at a time (fewer partitions, larger files), spread keys over prefixes, raise the retries",
        "S3, 503 Slow Down; AWS common errors",
    ),
    # -- the data
    _rule(
        "output-exists",
        r"Output (directory|path) \S+ already exists|FileAlreadyExistsException|PATH_ALREADY_EXISTS|"
        r"path \S+ already exists|TABLE_OR_VIEW_ALREADY_EXISTS|"
        r"TABLE_ALREADY_EXISTS|LOCATION_ALREADY_EXISTS|\bmkdir: .*File exists",
        "The output is there already, and Hadoop and Spark never overwrite on their own.",
        "remove it, write to another place (one per day, with `{{ ds }}`), or say in Spark `.mode('overwrite')`",
        "Hadoop, FileOutputFormat.checkOutputSpecs; " + _SPARK,
    ),
    _rule(
        "input-missing",
        r"Input path does not exist|Input Pattern \S+ matches 0 files|PATH_NOT_FOUND|Path does not exist|"
        r"There is no such (file or )?(folder|directory) .*src|(--src|source)\b.*(does not exist|not found|"
        r"no such)",
        "The input is not there.",
        "check the step's input, the day in it, and that its data has arrived",
        "Hadoop, FileInputFormat; " + _SPARK,
    ),
    _rule(
        "damaged-input",
        r"not in gzip format|Not a gzipped file|invalid (block type|stored block|distance|code lengths)|"
        r"unexpected end of (input stream|file)|incorrect (data|header) check|"
        r"is not a Parquet file|CANNOT_READ_FILE_FOOTER|FAILED_READ_FILE\.(NO_HINT|CANNOT_READ)|ZipException|"
        r"[Cc]orrupt(ed)? (file|block|record)|CRC (check|mismatch)|crc mismatch|"
        r"Compressed file ended before|Unexpected end of ZLIB|Malformed ORC file|stream of \.bz2|"
        r"not a SequenceFile|ChecksumException|invalid compressed data|EOFException: Unexpected end of input",
        "An input file is damaged, cut short, or of another format.",
        "look at the file that the log names; write it again, or leave it out of the input",
        "zlib, Hadoop's codecs; " + _SPARK,
    ),
    _rule(
        "text-encoding",
        r"UnicodeDecodeError|UnicodeEncodeError|MalformedInputException|UnmappableCharacterException",
        "Text was not in the encoding that the program expects.",
        "name the data's encoding when it is read (latin-1 …), or say what to do with other bytes (errors='replace')",
        "Python, UnicodeError; java.nio.charset",
    ),
    _rule(
        "table-missing",
        r"TABLE_OR_VIEW_NOT_FOUND|SCHEMA_NOT_FOUND|Table or view not found|Table not found|"
        r"NoSuchTableException|NoSuchObjectException|EntityNotFoundException|"
        r"Database '?\S+'? not found|Invalid table alias or column reference|Line \d+:\d+ Table not found",
        "A table or database is not in the catalog.",
        "check its name and database, and which catalog the cluster uses (Glue: the configuration hive-site or "
        "spark-hive-site with its client factory)",
        "Glue, EntityNotFoundException; Hive, ErrorMsg.INVALID_TABLE; " + _SPARK,
    ),
    _rule(
        "column-missing",
        r"UNRESOLVED_COLUMN|cannot resolve '?[`\w.]+'?|FIELD_NOT_FOUND|Invalid column reference|"
        r"_LEGACY_ERROR_TEMP_1\d\d\d.*column",
        "A query names a column that its table does not have.",
        "compare the name with the schema (printSchema()); the log lists the nearest names",
        _SPARK,
    ),
    _rule(
        "sql-syntax",
        r"PARSE_SYNTAX_ERROR|ParseException|PARSE_EMPTY_STATEMENT|mismatched input .* expecting|"
        r"FAILED: ParseException|cannot recognize input near",
        "A SQL statement has a syntax error.",
        "correct it at the line and position that the log names",
        "Hive, ParseException; " + _SPARK,
    ),
    _rule(
        "data-source-missing",
        r"DATA_SOURCE_NOT_FOUND|Failed to find( the)? data source|ClassNotFoundException: \S+\.DefaultSource",
        "Spark has no data source of this format.",
        "ship its library (`packages:`, `jars:`), or configure it for the release (Delta, Iceberg and Hudi are "
        "classifications of EMR)",
        _SPARK,
    ),
    _rule(
        "bad-data",
        r"CAST_INVALID_INPUT|CAST_OVERFLOW|DIVIDE_BY_ZERO|ARITHMETIC_OVERFLOW|CANNOT_PARSE_TIMESTAMP|"
        r"MALFORMED_RECORD_IN_PARSING|NUMERIC_VALUE_OUT_OF_RANGE|INVALID_ARRAY_INDEX|"
        r"FAILED_READ_FILE\.PARQUET_COLUMN_DATA_TYPE_MISMATCH|PARQUET_COLUMN_DATA_TYPE_MISMATCH|"
        r"Parquet column cannot be converted|SchemaColumnConvertNotSupportedException",
        "A value or a type in the data is not what the query expects.",
        "look at the value that the log names; try_cast and try_divide give null instead, "
        "spark.sql.ansi.enabled=false "
        "the old behaviour",
        _SPARK,
    ),
    _rule(
        "spark-analysis",
        r"pyspark\.errors\.exceptions\.\w+\.AnalysisException|org\.apache\.spark\.sql\.(catalyst\.ExtendedA|"
        r"A)nalysisException",
        "Spark can't make sense of a query.",
        "read its message: it names the part of the query that is wrong",
        _SPARK,
    ),
    _rule(
        "spark-context-in-task",
        r"CONTEXT_ONLY_VALID_ON_DRIVER|SparkContext (can|should) only be (used|created)|"
        r"It appears that you are attempting to reference SparkContext",
        "Code that runs in the tasks uses the SparkContext, which only the driver has.",
        "take what the tasks need out of the context before, as plain values or a broadcast variable",
        _SPARK,
    ),
    _rule(
        "task-not-serializable",
        r"Task not serializable|PicklingError|Could not serialize object",
        "A function for the tasks holds something that can't be sent to them.",
        "make connections, clients and locks inside of the function (or per partition), not outside",
        "Spark, ClosureCleaner; cloudpickle",
    ),
    # -- programs, classes and modules that are not there
    _rule(
        "python-version",
        r"PYTHON_VERSION_MISMATCH|Python in worker has different version|"
        r"Missing parentheses in call to '(print|exec)'|has no attribute '(iteritems|itervalues|iterkeys|"
        r"has_key|xrange)'|"
        r"name '(xrange|unicode|raw_input|basestring|unichr|reduce)' is not defined|"
        r"No module named '?(urllib2|ConfigParser|cPickle|StringIO|Queue|__builtin__)'?$|"
        r"requires Python '?[<>=]|requires a different Python|multiple exception types must be parenthesized|"
        r"leading zeros in decimal integer literals",
        "The program was written for another version of Python than the one that runs it.",
        "bring the program up to date, or choose the Python: a shebang line, or spark.pyspark.python; the "
        "release of EMR decides which are there",
        "Python 3, What's New in 3.0; " + _SPARK,
    ),
    _rule(
        "windows-line-ends",
        r"\\r['\u2019]?: No such file|(python\d?|sh|bash|perl|ruby)(\r|\^M)['\u2019]?\S*(: No such file|: not found)|"
        r"bad interpreter: .*\^M|\$'\\r': command not found|['\u2018]\w+\\r['\u2019]",
        "The script has Windows line ends: its first line names a program with a carriage return.",
        "save it with Unix line ends (dos2unix), and let git keep them (.gitattributes: *.py text eol=lf)",
        "GNU env; Linux, binfmt_script",
    ),
    _rule(
        "python-module-missing",
        r"ModuleNotFoundError: No module named (?P<name>'[\w.]+')|ImportError: No module named (?P<old>\S+)|"
        r"ImportError: cannot import name",
        "A Python module is not installed where the program runs.",
        "ship it (`py_files:`, `files:`, `archives:`), or install it on every node by a bootstrap action",
        "Python, ModuleNotFoundError",
    ),
    _rule(
        "pip-requirement",
        r"No matching distribution found|Could not find a version that satisfies the requirement|"
        r"ResolutionImpossible|Failed building wheel|pip's dependency resolver|Could not build wheels",
        "pip found no version of a package that fits.",
        "check the name and the version, that it is made for the Python of the release, and that the network "
        "lets pip reach its index",
        "pip",
    ),
    _rule(
        "script-not-shipped",
        r"can't open file|Can't open perl script|No such file or directory -- .*\.rb|can't open source file|"
        r"awk: .*can't open|[Cc]annot open file '?\S+\.\w+|Could not open input file",
        "The interpreter did not find the script that the command names.",
        "ship the script: `files: [script]`, or name it as the mapper itself",
        "python, perl, ruby, gawk, php",
    ),
    _rule(
        "program-missing",
        r"Cannot run program|there is no program|error=2, No such file or directory|exec: .*: not found|"
        r"FileNotFoundError: \[Errno 2\] No such file or directory: '(?P<bare>[\w+-]+)'$|"
        r"Unable to find (executable|program)",
        "A program could not be started, for it is not there.",
        "ship the program (`mapper: script.py`, `files:`), name it by its whole path, or install it by a "
        "bootstrap action",
        "java.lang.ProcessBuilder; Python, subprocess",
    ),
    _rule(
        "command-not-found",
        r": (command )?not found$|: command not found|subprocess failed with code 127|"
        r"env: .*: No such file or directory|bad interpreter: No such file",
        "A shell or a shebang line names a program that is not installed.",
        "install it by a bootstrap action, ship it with the step, or correct its name",
        "POSIX sh, exit status 127; GNU env",
    ),
    _rule(
        "java-version",
        r"UnsupportedClassVersionError|has been compiled by a more recent version of the Java Runtime",
        "The jar was compiled for a newer Java than the one that runs it.",
        "compile for the Java of the release (javac --release 8 or 17), or choose a newer Java by JAVA_HOME",
        "HotSpot, UnsupportedClassVersionError",
    ),
    _rule(
        "library-conflict",
        r"NoSuchMethodError|NoSuchFieldError|AbstractMethodError|IncompatibleClassChangeError|"
        r"ClassCastException: .*loader|VerifyError|IllegalAccessError",
        "Two versions of a library meet: the jar was compiled with another one than it finds.",
        "build against the versions of the release (Hadoop, Spark and Scala as provided), or shade the library",
        "HotSpot, LinkageError",
    ),
    _rule(
        "class-missing",
        r"ClassNotFoundException|NoClassDefFoundError|class not found|Failed to load class|"
        r"Could not find or load main class|Class \S+ not found",
        "A Java class is in none of the jars.",
        "check the class's whole name and the jar; ship its jar (`libjars:`, `jars:`) or build one with all that "
        "it needs",
        "java.lang.ClassNotFoundException; Hadoop Streaming; spark-submit",
    ),
    # -- the command line
    _rule(
        "bad-options",
        r"[Uu]nrecognized (option|argument)|Unknown (option|command)|unknown option|invalid option|"
        r"No such option|the following arguments are required|Unexpected .* while processing|"
        r"Found unrecognized arguments|Missing required (option|argument)|invalid choice:|unexpected argument|"
        r"Did you mean -\w+",
        "The command line has an option or argument that the program does not take.",
        "correct the step's args; `flowspec render` shows them as they are given",
        "Hadoop Streaming, GenericOptionsParser; spark-submit; argparse, click; getopt",
    ),
    _rule(
        "shell-syntax",
        r"syntax error (near|:|in)|[Ss]yntax error: |unexpected EOF while looking for|unexpected end of file",
        "The shell script has a syntax error.",
        "check it with `bash -n script.sh`",
        "bash, dash",
    ),
    _rule(
        "shell-unbound-variable",
        r": unbound variable$|: parameter not set$|: parameter null or not set",
        "The shell script uses a variable that is not set.",
        "give it a value (the step's args, an environment variable), or a default: ${NAME:-default}",
        "bash, set -u",
    ),
    _rule(
        "bad-property",
        r"INVALID_CONF_VALUE| should be (int|long|double|boolean|float), but was ",
        "A property has a value of the wrong type, or one that is not allowed.",
        "correct the property that the log names",
        "Spark, ConfigHelpers.toNumber",
    ),
    # -- files
    _rule(
        "permission-denied",
        r"Permission denied|PermissionError|AccessControlException|Operation not permitted",
        "The user that runs the step may not read, write or run a file.",
        "change its owner or mode (chmod +x for a script), or write somewhere else",
        "Linux, EACCES; HDFS, FSPermissionChecker",
    ),
    _rule(
        "bootstrap-script-missing",
        r"bootstrap action \d+ failed to (start|download)|BA_DOWNLOAD_FAILED",
        "The script of a bootstrap action could not be fetched.",
        "check its path, and that the job flow role may read it",
        "EMR ErrorDetail codes (BOOTSTRAP_FAILURE_BA_DOWNLOAD_FAILED_PRIMARY)",
    ),
    _rule(
        "file-missing",
        r"No such file or directory|FileNotFoundException|FileNotFoundError|NoSuchFileException|NoSuchKey|"
        r"\(404\).*Not Found|Not Found.*(404|HeadObject)|[Tt]here is no such file|"
        r"File does not exist|does not exist$|JAR does not exist|File file:\S+ does not exist",
        "A file is not there.",
        "check its path; ship a local file with the step (`files:`), and name S3 objects by their whole URI",
        "java.io, Python, S3, Linux (ENOENT)",
    ),
    _rule(
        "counter-limit",
        r"Too many counters|LimitExceededException",
        "The job has more counters than Hadoop allows.",
        "count fewer things (no counter per value), or raise mapreduce.job.counters.max",
        "Hadoop, mapreduce.counters.Limits",
    ),
    _rule(
        "io-error",
        r"Input/output error|Read-only file system",
        "The system could not read or write a file: a read-only place, or a device that fails.",
        "write somewhere else; if it is a disk of the node, replace the node",
        "Linux, EIO and EROFS",
    ),
    # -- the network
    _rule(
        "connection-refused",
        r"Connection refused|ConnectionRefusedError",
        "Nothing listens at an address that the program connects to.",
        "check host and port, that the service runs, and that security groups and subnets let the cluster reach it",
        "Linux, ECONNREFUSED",
    ),
    _rule(
        "unknown-host",
        r"UnknownHostException|Name or service not known|Temporary failure in name resolution|"
        r"getaddrinfo failed|Could not resolve host|nodename nor servname",
        "A host name has no address.",
        "check the name, and that the VPC's DNS knows it",
        "java.net, glibc's getaddrinfo",
    ),
    _rule(
        "tls",
        r"CERTIFICATE_VERIFY_FAILED|SSLHandshakeException|PKIX path building failed|certificate verify failed|"
        r"SSLError",
        "A TLS connection failed: the server's certificate is not trusted.",
        "install the certificate authority's certificate by a bootstrap action; don't switch the check off",
        "OpenSSL; Java, sun.security.validator",
    ),
    _rule(
        "network-timeout",
        r"^TimeoutError\b|socket\.timeout|ConnectTimeout|"
        r"SocketTimeoutException|Connection timed out|Read timed out|Connect timed out|"
        r"ReadTimeoutError|Network is unreachable|No route to host",
        "A host did not answer in time.",
        "check that security groups, route tables and endpoints (a private subnet needs one for S3) let the "
        "cluster reach it",
        "java.net, botocore, Linux (ETIMEDOUT)",
    ),
    _rule(
        "task-timeout",
        r"[Tt]imed out after \d+ sec|failed to report status for \d+ seconds|task attempt .* timed out",
        "A task neither read nor wrote nor reported anything for longer than mapreduce.task.timeout.",
        "let it report (`reporter:status:…` on stderr), do less per record, or raise mapreduce.task.timeout "
        "(milliseconds)",
        "Hadoop, TaskHeartbeatHandler",
    ),
    _rule(
        "step-timeout",
        r"it ran longer than its timeout( of \d+ s)?$",
        "The step ran longer than the `timeout` that its spec gives it, and its watcher cancelled it.",
        "look at the end of its logs for what it waited for; raise its `timeout` when it only needs longer",
        "flowspec.backend.aws.runs.settle",
    ),
    _rule(
        "broken-pipe",
        r"Broken pipe|BrokenPipeError",
        "A program ended, or closed its standard input, before it had read all of its input.",
        "let it read standard input to the end",
        "Linux, EPIPE; Hadoop Streaming, PipeMapRed",
    ),
    # -- how a program ended, where nothing says why
    _rule(
        "process-killed",
        r"subprocess failed with code 137|[Ee]xit (code|status):? ?(is )?137\b|exitCode:? 137\b|"
        r"[Ee]xit code is 143|[Ee]xit (code|status):? ?(is )?143\b|exitCode:? 143\b|"
        r"subprocess failed with code 143|Container killed on request|exit(ed)? with (exit )?(code|"
        r"status) (137|143)|ret '(137|143)'|died with <Signals\.SIG(KILL|TERM)",
        "The process was killed: 137 is SIGKILL, most often for want of memory; 143 is SIGTERM, by YARN or by "
        "someone who ended it.",
        "give it more memory, or let it hold less; look whether the step or the application was cancelled",
        "POSIX sh (128 + signal); YARN, ContainerExecutor.ExitCode",
        Weight.SYMPTOM,
    ),
    _rule(
        "process-crashed",
        r"Segmentation fault|subprocess failed with code (139|134|132|136)|SIGSEGV|"
        r"exit(ed)? with (exit )?(code|status) (139|134)|exitCode:? (139|134)\b|core dumped",
        "The process crashed in native code (a signal such as SIGSEGV).",
        "look at its native libraries: compiled for another machine (arm64 or x86_64) or another version of "
        "Python or glibc",
        "POSIX sh (128 + signal)",
        Weight.SYMPTOM,
    ),
    _rule(
        "bootstrap-failed",
        r"bootstrap action \d+ returned a non-zero|BOOTSTRAP_FAILURE.*NON_ZERO_CODE|application provisioning failed",
        "A bootstrap action ended with an error.",
        "run its script on a machine of the same release; `set -x` in it shows where it ends",
        "EMR StateChangeReason",
        Weight.SYMPTOM,
    ),
    _rule(
        "master-failed",
        r"The master (node|instance).* (was terminated|failed)|MASTER_FAILURE",
        "The master instance failed.",
        "look at its instance state; keep the master on demand",
        _EMR,
        Weight.SYMPTOM,
    ),
    # -- exceptions of the program's own
    _rule(
        "java-exception",
        r"(?P<name>\b(?:java|javax|jdk|scala|kotlin|org|com|net|io|sun|software)\.(?:[\w$]+\.)*[A-Z][\w$]*)",
        "The Java program ended with an exception that it did not catch: {name}.",
        "look at the first line of its own code in the stack trace",
        "java.lang.Throwable.printStackTrace",
        Weight.EXCEPTION,
    ),
    _rule(
        "python-exception",
        r"^(?P<name>(?:\w+\.)*[A-Z]\w*(?:Error|Exception|Warning|Interrupt|Exit|Iteration))\b",
        "The Python program ended with an exception that it did not catch: {name}.",
        "look at the line of the program that the traceback names, and run it on a part of the data (`backend: local`)",
        "Python, traceback",
        Weight.EXCEPTION,
    ),
)

SYMPTOMS = frozenset(rule.id for rule in RULES if rule.weight is Weight.SYMPTOM)

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
"""Exceptions that only say that something below them failed; they are no cause."""
