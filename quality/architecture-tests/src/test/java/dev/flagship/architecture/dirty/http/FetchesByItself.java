package dev.flagship.architecture.dirty.http;

import java.net.http.HttpClient;

/** A server that is a client too. */
record FetchesByItself(HttpClient client) {}
