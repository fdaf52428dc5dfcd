package flowspec.examples;

/** The same as {@link SparkPi}, under the name that Spark's examples jar has for its Java version. */
public final class JavaSparkPi {
  private JavaSparkPi() {}

  public static void main(String[] args) {
    System.out.println("Pi is roughly " + SparkPi.estimate("JavaSparkPi", args));
  }
}
