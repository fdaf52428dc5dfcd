package flowspec;

import java.io.File;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.net.URI;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.RawLocalFileSystem;
import org.apache.hadoop.fs.permission.FsPermission;

/**
 * A file system of Hadoop's that is a folder of this machine: s3://bucket/key is the file ROOT/bucket/key.
 *
 * <p>The property {@code flowspec.folder.SCHEME} names the folder, {@code flowspec.home.SCHEME} the path that relative
 * ones start at. {@code flowspec.authority.SCHEME=false} leaves the authority (a name node) out of the file's path.
 * There are no checksum files beside the data (they would belie files that another program writes anew), and no
 * permissions or owners of its own: S3 has none, and each would cost a process to ask for.
 *
 * <p>FolderFileSystem.class stands beside this file, so that no compiler is needed where it is used:
 * {@code javac --release 8 -g:none -classpath '.../pyspark/jars/*' FolderFileSystem.java}.
 */
public class FolderFileSystem extends RawLocalFileSystem {
  private static final FsPermission FILE = new FsPermission((short) 0644);
  private static final FsPermission DIRECTORY = new FsPermission((short) 0755);
  private static final String OWNER = "hadoop";

  private URI uri;
  private File root;
  private Path home;

  @Override
  public void initialize(URI name, Configuration conf) throws IOException {
    String scheme = name.getScheme();
    String folder = conf.getTrimmed("flowspec.folder." + scheme);
    if (folder == null) {
      throw new IOException("flowspec.folder." + scheme + ": nothing stands for " + scheme + ":// on this machine");
    }
    String authority = name.getAuthority() == null ? "" : name.getAuthority();
    // Without one, "s3:///key" would be taken for a file beside the buckets.
    if (scheme.startsWith("s3") && authority.isEmpty()) {
      throw new IOException(name + ": the name of the bucket is missing");
    }
    if (authority.equals(".") || authority.equals("..")) {
      throw new IOException(name + ": the path leads out of its root");
    }
    uri = URI.create(scheme + "://" + authority + "/");
    root = conf.getBoolean("flowspec.authority." + scheme, true) ? new File(folder, authority) : new File(folder);
    super.initialize(uri, conf);
    home = makeQualified(new Path(conf.getTrimmed("flowspec.home." + scheme, "/user/" + OWNER)));
    setWorkingDirectory(home);
  }

  @Override
  public URI getUri() {
    // The constructor of RawLocalFileSystem asks before there is an answer.
    return uri == null ? super.getUri() : uri;
  }

  @Override
  public Path getHomeDirectory() {
    return home;
  }

  @Override
  public File pathToFile(Path path) {
    checkPath(path);
    Path absolute = path.isAbsolute() ? path : new Path(getWorkingDirectory(), path);
    String below = absolute.toUri().getPath();
    // Hadoop has taken out every ".." but those that have nothing before them.
    if (below.startsWith("/..") && (below.length() == 3 || below.charAt(3) == '/')) {
      throw new IllegalArgumentException(path + ": the path leads out of its root");
    }
    return new File(root, below);
  }

  @Override
  public FileStatus getFileStatus(Path path) throws IOException {
    File file = pathToFile(path);
    if (!file.exists()) {
      throw new FileNotFoundException("File does not exist: " + makeQualified(path));
    }
    boolean directory = file.isDirectory();
    return new FileStatus(
        directory ? 0 : file.length(),
        directory,
        1,
        getDefaultBlockSize(path),
        file.lastModified(),
        0,
        directory ? DIRECTORY : FILE,
        OWNER,
        OWNER,
        makeQualified(path));
  }

  @Override
  public FileStatus[] listStatus(Path path) throws IOException {
    FileStatus status = getFileStatus(path);
    String[] names = status.isDirectory() ? pathToFile(path).list() : null;
    if (names == null) {
      return new FileStatus[] {status};
    }
    Arrays.sort(names);
    List<FileStatus> found = new ArrayList<>();
    for (String name : names) {
      try {
        found.add(getFileStatus(new Path(path, new Path(null, null, name))));
      } catch (FileNotFoundException gone) {
        // Another task removed it in between.
      }
    }
    return found.toArray(new FileStatus[0]);
  }

  @Override
  public boolean supportsSymlinks() {
    return false;
  }

  @Override
  public FileStatus getFileLinkStatus(Path path) throws IOException {
    return getFileStatus(path);
  }

  @Override
  public void moveFromLocalFile(Path source, Path target) throws IOException {
    copyFromLocalFile(true, source, target);
  }

  @Override
  public void setPermission(Path path, FsPermission permission) {}

  @Override
  public void setOwner(Path path, String user, String group) {}
}
