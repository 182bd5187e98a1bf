package dev.flagship.http;

import io.helidon.common.buffers.BufferData;
import io.helidon.common.buffers.DataReader;
import io.helidon.common.buffers.DataWriter;
import io.helidon.common.concurrency.limits.Limit;
import io.helidon.common.socket.HelidonSocket;
import io.helidon.common.socket.PeerInfo;
import io.helidon.common.task.InterruptableTask;
import io.helidon.http.DirectHandler.EventType;
import io.helidon.http.RequestException;
import io.helidon.http.Status;
import io.helidon.webserver.CloseConnectionException;
import io.helidon.webserver.ConnectionContext;
import io.helidon.webserver.ListenerContext;
import io.helidon.webserver.ProxyProtocolData;
import io.helidon.webserver.Router;
import io.helidon.webserver.spi.ServerConnection;
import io.helidon.webserver.spi.ServerConnectionSelector;
import java.io.UncheckedIOException;
import java.lang.System.Logger.Level;
import java.time.Duration;
import java.util.Arrays;
import java.util.Optional;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * One client connection around Helidon's HTTP/1.1 connection, which sees this class as its context.
 *
 * <p>A virtual thread reads the socket ahead, up to {@link #READ_AHEAD} buffers. That gives three
 * things that a read on demand cannot: a client that leaves is noticed at once while its handler
 * computes; a deadline covers a whole head or body, however slowly it drips; and the bytes of each
 * are counted before they are believed. A client that sends further requests ahead fills the
 * buffers; then only a failing write shows that it left.
 *
 * <p>Phases, in turn: {@link Phase#IDLE} until a request's first bytes, {@link Phase#HEAD} until
 * its handler begins, {@link Phase#BODY} while the handler runs. All but the reader's fields belong
 * to the connection's thread.
 */
final class Connection implements ServerConnection, ConnectionContext, InterruptableTask<Void> {
    /** The connection whose handler runs on this thread. */
    static final ScopedValue<Connection> CURRENT = ScopedValue.newInstance();

    private static final System.Logger LOG = System.getLogger(Connection.class.getName());
    private static final int READ_AHEAD = 4;
    private static final byte[] END = new byte[0];

    /**
     * A client that still sends when it is refused gets this long, and this many buffers, to read
     * the refusal.
     */
    private static final Duration LINGER_TIME = Duration.ofMillis(500);

    private static final int LINGER_BUFFERS = 4096;

    private enum Phase {
        IDLE,
        HEAD,
        BODY
    }

    private final ConnectionContext socketContext;
    private final HelidonSocket socket;
    private final Limits limits;
    private final ScheduledExecutorService alarms;
    private final BlockingQueue<byte[]> arrived = new ArrayBlockingQueue<>(READ_AHEAD);
    private final DataReader reader = DataReader.create(this::next);
    private final DataWriter writer;
    private final ServerConnection http;

    private Phase phase = Phase.IDLE;
    private long deadline; // System.nanoTime
    private long allowance; // bytes that the phase may still take
    private byte @Nullable [] rest; // of a buffer that the allowance cut
    private boolean ended;
    private boolean lastResponse;
    private boolean unreadBody;

    private volatile boolean gone;
    private volatile boolean finished;
    private @Nullable Runnable onGone; // guarded by arrived

    Connection(
            ConnectionContext socketContext,
            ServerConnectionSelector http,
            Limits limits,
            ScheduledExecutorService alarms) {
        this.socketContext = socketContext;
        this.socket = socketContext.serverSocket();
        this.limits = limits;
        this.alarms = alarms;
        this.writer = new TimedWriter(socketContext.dataWriter());
        this.http = http.connection(this);
    }

    @Override
    public void handle(Limit limit) throws InterruptedException {
        Thread.ofVirtual().name("http-reader").start(this::readAhead);
        try {
            ScopedValue.where(CURRENT, this)
                    .call(() -> {
                        http.handle(limit);
                        return null;
                    });
        } finally {
            if (unreadBody || phase != Phase.IDLE) {
                linger();
            }
            finished = true;
            arrived.clear(); // frees a reader that waits for room; Helidon closes the socket next
        }
    }

    // ---- the handler's side

    /** The handler begins: what now arrives is its body. */
    void beginExchange() {
        phase = Phase.BODY;
        deadline = deadlineAfter(limits.bodyTime());
        // Chunk framing counts too: one-byte chunks cost six bytes each, and a size line may not
        // run on for ever.
        allowance = 8L * limits.bodyBytes() + (64 << 10);
    }

    /** The body's time runs from when the handler asks for it. */
    void beginBody() {
        deadline = deadlineAfter(limits.bodyTime());
    }

    /**
     * The request is answered. After the last one the connection closes; a client that still sends
     * is drained first.
     */
    void endExchange(boolean last, boolean bodyUnread) {
        synchronized (arrived) {
            onGone = null;
        }
        phase = Phase.IDLE;
        lastResponse = last;
        unreadBody = bodyUnread;
    }

    /** Whether a request is still being read that no handler has seen. */
    boolean betweenExchanges() {
        return phase != Phase.BODY;
    }

    boolean gone() {
        return gone;
    }

    /**
     * Runs the action once when the client leaves before the exchange ends; at once if it has left.
     */
    void onGone(Runnable action) {
        synchronized (arrived) {
            if (!gone) {
                onGone = action;
                return;
            }
        }
        action.run();
    }

    // ---- the reader's side

    private void readAhead() {
        try {
            while (!finished) {
                byte[] bytes = read();
                if (bytes == null) {
                    markGone();
                    arrived.put(END);
                    return;
                }
                arrived.put(bytes);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private byte @Nullable [] read() {
        try {
            return socket.get();
        } catch (UncheckedIOException e) {
            return null; // reset by the client, or closed by us
        }
    }

    private void markGone() {
        Runnable action;
        synchronized (arrived) {
            gone = true;
            action = onGone;
            onGone = null;
        }
        if (action != null) {
            try {
                action.run();
            } catch (RuntimeException e) {
                LOG.log(Level.ERROR, "the action for a client that left failed", e);
            }
        }
    }

    /**
     * Supplies Helidon's parser.
     *
     * @throws CloseConnectionException at the end of the stream, wherever in a request that is
     */
    private byte[] next() {
        if (ended) {
            throw new CloseConnectionException("the client left");
        }
        if (phase == Phase.IDLE) {
            if (lastResponse) {
                throw new CloseConnectionException("the last response was sent");
            }
            deadline = deadlineAfter(limits.idleTime());
            allowance = limits.headBytes();
        }
        if (allowance == 0) {
            throw overLimit();
        }
        byte[] bytes = rest != null ? rest : await();
        rest = null;
        if (isEnd(bytes)) {
            ended = true;
            throw new CloseConnectionException("the client left");
        }
        if (phase == Phase.IDLE) {
            phase = Phase.HEAD;
            deadline = deadlineAfter(limits.headTime());
        }
        if (bytes.length > allowance) {
            rest = Arrays.copyOfRange(bytes, (int) allowance, bytes.length);
            bytes = Arrays.copyOf(bytes, (int) allowance);
        }
        allowance -= bytes.length;
        return bytes;
    }

    private byte[] await() {
        try {
            byte[] bytes = arrived.poll(deadline - System.nanoTime(), TimeUnit.NANOSECONDS);
            if (bytes == null) {
                throw late();
            }
            return bytes;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CloseConnectionException("the server is closing", e);
        }
    }

    private RuntimeException late() {
        return switch (phase) {
            case IDLE -> new CloseConnectionException("no request within " + limits.idleTime());
            case HEAD, BODY -> refusal(EventType.BAD_REQUEST, Status.REQUEST_TIMEOUT_408);
        };
    }

    private RuntimeException overLimit() {
        return phase == Phase.BODY
                ? refusal(EventType.PAYLOAD_TOO_LARGE, Status.REQUEST_ENTITY_TOO_LARGE_413)
                : refusal(EventType.BAD_REQUEST, Status.create(431));
    }

    private static RequestException refusal(EventType type, Status status) {
        return RequestException.builder().type(type).status(status).setKeepAlive(false).build();
    }

    /**
     * Reads on for a moment: closing a socket that has unread bytes resets it, and the client would
     * lose the refusal that is on its way.
     */
    private void linger() {
        long until = deadlineAfter(LINGER_TIME);
        try {
            for (int i = 0; i < LINGER_BUFFERS && !ended; i++) {
                byte[] bytes = arrived.poll(until - System.nanoTime(), TimeUnit.NANOSECONDS);
                if (bytes == null || isEnd(bytes)) {
                    return;
                }
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt(); // the server closes; it does not wait for a client
        }
    }

    /** By its length: a read gives at least one byte. */
    private static boolean isEnd(byte[] bytes) {
        return bytes.length == 0;
    }

    private static long deadlineAfter(Duration time) {
        return System.nanoTime() + time.toNanos();
    }

    /** Gives each write a deadline: a client that does not read would hold its handler for ever. */
    private final class TimedWriter implements DataWriter {
        private final DataWriter delegate;

        TimedWriter(DataWriter delegate) {
            this.delegate = delegate;
        }

        @Override
        public void write(BufferData... buffers) {
            timed(() -> delegate.write(buffers));
        }

        @Override
        public void write(BufferData buffer) {
            timed(() -> delegate.write(buffer));
        }

        @Override
        public void writeNow(BufferData... buffers) {
            timed(() -> delegate.writeNow(buffers));
        }

        @Override
        public void writeNow(BufferData buffer) {
            timed(() -> delegate.writeNow(buffer));
        }

        private void timed(Runnable write) {
            var alarm =
                    alarms.schedule(
                            socket::close, limits.writeTime().toMillis(), TimeUnit.MILLISECONDS);
            try {
                write.run();
            } finally {
                alarm.cancel(false);
            }
        }
    }

    // ---- what Helidon asks of a connection and its context

    /** Idle time is ours to limit ({@link #next}); to Helidon the connection is always busy. */
    @Override
    public Duration idleTime() {
        return Duration.ZERO;
    }

    @Override
    public void close(boolean interrupt) {
        http.close(interrupt);
    }

    @Override
    public boolean canInterrupt() {
        return http instanceof InterruptableTask<?> task && task.canInterrupt();
    }

    @Override
    public DataReader dataReader() {
        return reader;
    }

    @Override
    public DataWriter dataWriter() {
        return writer;
    }

    @Override
    public ListenerContext listenerContext() {
        return socketContext.listenerContext();
    }

    @Override
    public ExecutorService executor() {
        return socketContext.executor();
    }

    @Override
    public Router router() {
        return socketContext.router();
    }

    @Override
    public Optional<ProxyProtocolData> proxyProtocolData() {
        return socketContext.proxyProtocolData();
    }

    @Override
    public HelidonSocket serverSocket() {
        return socket;
    }

    @Override
    public PeerInfo remotePeer() {
        return socketContext.remotePeer();
    }

    @Override
    public PeerInfo localPeer() {
        return socketContext.localPeer();
    }

    @Override
    public boolean isSecure() {
        return socketContext.isSecure();
    }

    @Override
    public String socketId() {
        return socketContext.socketId();
    }

    @Override
    public String childSocketId() {
        return socketContext.childSocketId();
    }
}
