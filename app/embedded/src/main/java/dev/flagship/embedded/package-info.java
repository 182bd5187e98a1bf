/**
 * Models in a Java program of one's own: from a name or a file to a {@link
 * dev.flagship.serving.api.ChatModel} in one call, {@link dev.flagship.embedded.Flagship#load}.
 * Wires the model store and the loader together as the command line does, and knows nothing about
 * HTTP, terminals or processes: it neither prints nor ends anything.
 *
 * <p>Java needs two flags to compute fast: {@code --add-modules jdk.incubator.vector} and {@code
 * --enable-native-access=ALL-UNNAMED}. Without them all works, slowly, and one warning says so.
 */
@NullMarked
package dev.flagship.embedded;

import org.jspecify.annotations.NullMarked;
