/** One file per model family. */
module dev.flagship.models {
    requires transitive dev.flagship.nn;

    exports dev.flagship.models;
}
