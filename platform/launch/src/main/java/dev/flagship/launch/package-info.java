/**
 * The model store and how a model gets there. Knows nothing about what is inside a model's file,
 * and nothing about requests.
 *
 * <p>Layout below the store's home ({@link dev.flagship.launch.ModelStore#home}):
 *
 * <pre>
 * blobs/sha256-HEX          a file by its content: complete and checked, for it was renamed into place
 * blobs/KEY.part, .ranges   a file whose fetch has not come to its end, and which ranges of it are here
 * blobs/scratch-KEY-X       what a source needs beside it; leftovers go with the next fetch of KEY
 * blobs/.locks/KEY          held by the process that fetches; stays, for another may wait on it
 * models/NAME/model.json    what the store knows of a model; with this file it is in the store
 * models/NAME/FILE          a link to its blob, under the name that its readers want
 * models/.lock              held while a model.json is written or deleted
 * import/FILE               for a person to put a file that the machine cannot fetch
 * licences                  which terms were accepted, and when
 * catalogue.json            the user's own models that have names
 * hub-token                 what opens gated models; for its owner alone
 * </pre>
 *
 * <p>Invariants: a blob has the SHA-256 that its name says, or was cut by somebody else, which its
 * size in {@code model.json} tells. Blobs are never changed afterwards, so they can be mapped. A
 * blob goes when the last {@code model.json} that names it goes. Nothing is fetched but over HTTPS
 * or from this machine, and the token goes to the hub's own host only.
 *
 * <p>A file directly in {@code models/NAME/} of a catalogue's size is an older version's, and is
 * served as it is.
 *
 * <p>Environment: {@code FLAGSHIP_HOME} moves the store, {@code FLAGSHIP_MODELS} names a further
 * folder to import from, {@code FLAGSHIP_HUB} is the base URL of the model hub, {@code
 * FLAGSHIP_HUB_TOKEN} (or {@code HF_TOKEN}) its token. Where pip looks is decided by the user's pip
 * settings.
 */
@NullMarked
package dev.flagship.launch;

import org.jspecify.annotations.NullMarked;
