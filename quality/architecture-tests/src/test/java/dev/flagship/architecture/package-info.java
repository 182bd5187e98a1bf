/**
 * The house rules as tests: directions between modules, names, errors, documents. Knows the whole
 * project, and nothing knows it.
 */
@NullMarked
package dev.flagship.architecture;

import org.jspecify.annotations.NullMarked;
