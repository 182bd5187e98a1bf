package dev.flagship.serving;

import java.nio.file.Path;

/** Another process that loads a model with packed weights; a warning is a failure. */
final class LoadOnce {
    private LoadOnce() {}

    public static void main(String[] args) throws Exception {
        LoadListener strict =
                new LoadListener() {
                    @Override
                    public void progress(String stage, long done, long total) {}

                    @Override
                    public void warning(String message) {
                        throw new IllegalStateException(message);
                    }
                };
        LoadOptions options =
                LoadOptions.of("tiny")
                        .withKernels("scalar")
                        .withThreads(1)
                        .withPackedFolder(Path.of(args[1]));
        LoadedModel.load(Path.of(args[0]), options, strict).close();
    }
}
