/** Checks, coded errors and units that every module uses. */
module dev.flagship.base {
    requires static transitive org.jspecify;
    requires static transitive com.google.errorprone.annotations;

    exports dev.flagship.base;
}
