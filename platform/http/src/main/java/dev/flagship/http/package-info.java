/**
 * A small HTTP/1.1 server on loopback: routes, bounded bodies, server-sent events, and notice of
 * clients that leave. Knows nothing about what is served; the shape of errors is the caller's
 * ({@link dev.flagship.http.ErrorRenderer}). The only package that imports Helidon, and no Helidon
 * type appears in its API.
 *
 * <p>Threads: every connection has a virtual thread, which runs the handler, and a second one that
 * only reads. The reader is what makes a departed client visible while a handler computes, and what
 * lets a whole head or body have a deadline rather than each read of it.
 *
 * <p>Trust: only a loopback address can be bound, because there is no authentication. A browser
 * page of another site can still reach loopback, so the {@code Host} header must name a loopback
 * host with the bound port (DNS rebinding) and an {@code Origin} header, where present, must be a
 * loopback origin.
 */
@NullMarked
package dev.flagship.http;

import org.jspecify.annotations.NullMarked;
