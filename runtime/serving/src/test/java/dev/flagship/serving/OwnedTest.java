package dev.flagship.serving;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class OwnedTest {
    private final List<String> closed = new ArrayList<>();

    private AutoCloseable piece(String name) {
        return () -> closed.add(name);
    }

    private AutoCloseable broken(String name, Exception with) {
        return () -> {
            closed.add(name);
            throw with;
        };
    }

    private Owned ofFour(Exception second, Exception fourth) {
        var owned = new Owned();
        owned.add(piece("first"));
        owned.add(broken("second", second));
        owned.add(piece("third"));
        owned.add(broken("fourth", fourth));
        return owned;
    }

    @Test
    void closesAllFromTheLastThoughSomeThrow() {
        var second = new IllegalStateException("second");
        var fourth = new IllegalArgumentException("fourth");
        Throwable thrown = catchThrowable(ofFour(second, fourth)::close);
        assertThat(closed).containsExactly("fourth", "third", "second", "first");
        assertThat(thrown).isSameAs(fourth).hasSuppressedException(second);
    }

    @Test
    void aFailureBeforeIsNotHiddenByThoseOfClosing() {
        var failure = new LoadException("model", "it is broken", "Fetch it again.");
        var checked = new IOException("fourth");
        Throwable thrown =
                catchThrowable(() -> {
                    try (var _ = ofFour(new IllegalStateException("second"), checked)) {
                        throw failure;
                    }
                });
        assertThat(closed).hasSize(4);
        assertThat(thrown).isSameAs(failure);
        assertThat(thrown.getSuppressed())
                .singleElement()
                .satisfies(e -> assertThat(e).hasCause(checked));
        assertThat(checked.getSuppressed()).hasSize(1);
    }

    @Test
    void whatIsReleasedStaysOpen() {
        try (var owned = new Owned()) {
            owned.add(piece("model"));
            owned.release();
        }
        assertThat(closed).isEmpty();
    }
}
