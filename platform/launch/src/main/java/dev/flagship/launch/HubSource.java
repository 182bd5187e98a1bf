package dev.flagship.launch;

import java.io.IOException;
import java.net.ConnectException;
import java.net.URI;
import java.net.http.HttpTimeoutException;

/** A web server that has the files, such as a model hub. */
final class HubSource implements Source {
    /** Where each file is. */
    interface Places {
        URI of(RemoteFile file);
    }

    private final Hub hub;
    private final URI page;
    private final Places places;

    /**
     * @param page where people read about the files
     */
    HubSource(Hub hub, URI page, Places places) {
        this.hub = hub;
        this.page = page;
        this.places = places;
    }

    static HubSource of(Hub hub, HubPlace place) {
        return new HubSource(hub, hub.page(place.repository()), file -> hub.file(place, file));
    }

    /** One file at one address. */
    static HubSource of(Hub hub, URI address) {
        return new HubSource(hub, address, _ -> address);
    }

    /** The same files by another way of fetching. */
    HubSource with(Hub other) {
        return new HubSource(other, page, places);
    }

    @Override
    public String describe(RemoteFile file) {
        return "hub " + HubClient.shown(places.of(file));
    }

    @Override
    public String label() {
        return "hub " + page.getAuthority();
    }

    @Override
    public String fetch(String title, RemoteFile file, PartFile part, Progress progress)
            throws SourceException, IOException, InterruptedException {
        URI place = places.of(file);
        progress.stage(
                "Asking %s for %s (for %s s at most)"
                        .formatted(
                                place.getAuthority(),
                                title,
                                hub.transfer().patience().toSeconds()));
        try (var client = new HubClient(hub, page)) {
            return new RangedDownload(client, place, title, part, progress).run(file);
        } catch (DiskFull.WriteException e) {
            throw e;
        } catch (HttpTimeoutException e) {
            throw new SourceException("no answer in time (" + Reasons.of(e) + ")", e);
        } catch (IOException e) {
            if (Thread.interrupted()) {
                throw new InterruptedException();
            }
            if (DiskFull.is(e)) {
                throw e;
            }
            throw new SourceException(reason(e), e);
        }
    }

    static String reason(IOException e) {
        var reason = Reasons.of(e);
        return e instanceof ConnectException
                ? "cannot be reached (" + reason + ")"
                : "the transfer failed (" + reason + ")";
    }
}
