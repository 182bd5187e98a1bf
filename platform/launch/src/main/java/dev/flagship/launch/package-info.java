/**
 * The model store and how a model gets there. Knows nothing about what is inside a model's file,
 * and nothing about requests.
 *
 * <p>Layout below the store's home ({@link dev.flagship.launch.ModelStore#home}):
 *
 * <pre>
 * models/NAME/FILE        a catalogue model; complete and checked, for it was renamed into place
 * models/NAME/.lock       held by the process that fetches NAME
 * models/NAME/part-X       what a fetch is writing; leftovers of killed processes go with the next fetch
 * import/FILE             for a person to put a file that the machine cannot fetch
 * </pre>
 *
 * <p>Invariant: a file under its final name has the catalogue's size and had the catalogue's
 * SHA-256 when it was renamed. Files are never changed afterwards, so they can be mapped.
 *
 * <p>Environment: {@code FLAGSHIP_HOME} moves the store, {@code FLAGSHIP_MODELS} names a further
 * folder to import from, {@code FLAGSHIP_HUB} is the base URL of the model hub. Where pip looks is
 * decided by the user's pip settings.
 */
@NullMarked
package dev.flagship.launch;

import org.jspecify.annotations.NullMarked;
