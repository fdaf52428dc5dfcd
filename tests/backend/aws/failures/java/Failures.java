import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.ObjectOutputStream;
import java.net.Socket;
import java.util.ArrayList;
import java.util.List;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.io.LongWritable;
import org.apache.hadoop.io.NullWritable;
import org.apache.hadoop.io.Text;
import org.apache.hadoop.mapreduce.Job;
import org.apache.hadoop.mapreduce.Mapper;
import org.apache.hadoop.mapreduce.lib.input.FileInputFormat;
import org.apache.hadoop.mapreduce.lib.output.FileOutputFormat;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Fails in the way that its first argument names: the jar steps among the recorded failures run it. */
public class Failures {
    static final Logger LOG = LoggerFactory.getLogger(Failures.class);

    public static void main(String[] args) throws Exception {
        switch (args[0]) {
            case "heap":
                List<long[]> held = new ArrayList<>();
                while (true) {
                    held.add(new long[1 << 27]);
                }
            case "wrapped":
                try {
                    rate("XXX");
                } catch (IllegalStateException error) {
                    throw new RuntimeException("pricing failed", new IOException("batch 7", error));
                }
                break;
            case "null":
                System.out.println(System.getProperty("no.such.property").length());
                break;
            case "stack":
                System.out.println(depth(0));
                break;
            case "method":
                System.out.println(new Dependency().added());
                break;
            case "dependency":
                System.out.println(new Removed().value());
                break;
            case "newer":
                System.out.println(new Newer().value());
                break;
            case "connect":
                new Socket("127.0.0.1", 9).close();
                break;
            case "host":
                new Socket("metastore.acme.invalid", 9083).close();
                break;
            case "serialize":
                new ObjectOutputStream(new ByteArrayOutputStream()).writeObject(new Object[] {new Failures()});
                break;
            case "open":
                Path path = new Path(args[1]);
                path.getFileSystem(new Configuration()).open(path).close();
                break;
            case "count":
                run(Mapper.class, args);
                break;
            case "parse":
                run(Parse.class, args);
                break;
            case "counters":
                run(Count.class, args);
                break;
            case "exit":
                System.err.println("the sum differs from the ledger");
                System.exit(3);
                break;
            case "noisy":
                LOG.error("java.net.ConnectException: Connection refused; using the other server");
                LOG.warn("retried", new IOException("Access Denied", new IllegalStateException("no rate")));
                System.err.println("Exception in thread pool was handled");
                for (int number = 0; number < 20; number++) {
                    LOG.info("row {} compared", number);
                }
                break;
            default:
                throw new IllegalArgumentException(args[0]);
        }
    }

    static int rate(String currency) {
        throw new IllegalStateException("no rate for " + currency);
    }

    static int depth(int number) {
        return depth(number + 1) + 1;
    }

    static void run(Class<? extends Mapper> mapper, String[] args) throws Exception {
        Job job = Job.getInstance(new Configuration(), "failures");
        job.setJarByClass(Failures.class);
        job.setMapperClass(mapper);
        job.setNumReduceTasks(0);
        job.setOutputKeyClass(LongWritable.class);
        job.setOutputValueClass(Text.class);
        FileInputFormat.addInputPath(job, new Path(args[1]));
        FileOutputFormat.setOutputPath(job, new Path(args[2]));
        if (!job.waitForCompletion(true)) {
            System.exit(1);
        }
    }

    /** Takes each line for a number. */
    public static class Parse extends Mapper<LongWritable, Text, LongWritable, Text> {
        @Override
        protected void map(LongWritable key, Text line, Context context) throws IOException, InterruptedException {
            context.write(new LongWritable(Long.parseLong(line.toString().split(",")[0])), line);
        }
    }

    /** Counts each line in a counter of its own. */
    public static class Count extends Mapper<LongWritable, Text, NullWritable, Text> {
        @Override
        protected void map(LongWritable key, Text line, Context context) {
            for (int number = 0; number < 200; number++) {
                context.getCounter("shops", line + "-" + number).increment(1);
            }
        }
    }
}

/** Compiled with a method that the class in the jar has no more. */
class Dependency {
    // recorded without: added()
    int added() {
        return 1;
    }
}

/** Compiled, and left out of the jar. */
class Removed {
    int value() {
        return 1;
    }
}

/** Its class file is given the number of a Java that is newer than any. */
class Newer {
    int value() {
        return 1;
    }
}
