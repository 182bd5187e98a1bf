package dev.flagship.kernels.x86;

/** A host that does not allow some access to pages: real pages, and one answer of its own. */
final class RefusingPages implements Pages {
    static final int EACCES = 13;

    private final Pages real = new LinuxPages();
    private final Access refused;
    private int held;

    RefusingPages(Access refused) {
        this.refused = refused;
    }

    /** Reservations that were not given back. */
    int held() {
        return held;
    }

    @Override
    public long reserve(long bytes) {
        if (refused == Access.NONE) {
            return -EACCES;
        }
        held++;
        return real.reserve(bytes);
    }

    @Override
    public int protect(long address, long bytes, Access access) {
        return access == refused ? EACCES : real.protect(address, bytes, access);
    }

    @Override
    public void release(long address, long bytes) {
        held--;
        real.release(address, bytes);
    }
}
