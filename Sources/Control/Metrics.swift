/// What a running agent counts.
package struct ServiceCounters: Hashable, Sendable {
    package var rounds = 0
    package var photosRead = 0
    package var photosEmbedded = 0
    package var photosFailed = 0
    package var filesWritten = 0
    package var filesRemoved = 0
    package var reconciles = 0
    package var troubles = 0
    package var hookRuns = 0
    package var hookFailures = 0

    package init() {}
}

/// What a running agent counts, in the Prometheus text format (version 0.0.4).
package struct Metrics {
    private var text = ""

    package init(_ report: StatusReport, _ counters: ServiceCounters) {
        let running = report.running
        gauge("up", "Whether the agent is at work.", 1)
        gauge("products", "Products in the neighbour table.", report.products)
        gauge("photos", "Photos that are used.", report.photos)
        gauge("photos_failed", "Photos that cannot be used.", report.failed.count)
        gauge("photos_waiting", "Photos that are known to wait for being read.", running?.waiting ?? 0)
        gauge("products_settling", "Products that have just changed.", running?.settling ?? 0)
        gauge("products_due", "Products whose file is not known to be up to date.", report.due)
        gauge("products_held_back", "Products that vanished at once and are kept.", running?.heldBack ?? 0)
        gauge(
            "change_photos", "Photos to embed with a model that is to take over.", report.change?.photos ?? 0)
        gauge("change_embedded", "Of these, those that are embedded.", report.change?.embedded ?? 0)
        gauge("watches", "Folders that are watched.", running?.watches.used ?? 0)
        gauge("folders_unwatched", "Folders without a watch.", running?.watches.unwatched.count ?? 0)
        gauge(
            "in_trouble", "Whether something went wrong and is tried again.", running?.trouble == nil ? 0 : 1)
        gauge("resident_memory_bytes", "Memory in use.", running?.memoryBytes ?? 0)
        gauge(
            "hook_waiting", "Products whose changes are still to be reported to the hook.",
            report.hook?.waiting ?? 0)
        gauge("hook_failing", "How often in a row the hook has failed.", report.hook?.failures ?? 0)
        counter("output_generation", "Changes of the output folder.", report.generation)
        counter(
            "overflows", "Times that the kernel lost reports of changes.", running?.watches.overflows ?? 0)
        counter("rounds", "Rounds of work.", counters.rounds)
        counter("reconciles", "Comparisons of the whole folder.", counters.reconciles)
        counter("photos_read", "Photos whose bytes were read.", counters.photosRead)
        counter("photos_embedded", "Photos that went through the network.", counters.photosEmbedded)
        counter("photo_failures", "Photos that failed.", counters.photosFailed)
        counter("files_written", "Product files written.", counters.filesWritten)
        counter("files_removed", "Product files removed.", counters.filesRemoved)
        counter("troubles", "Rounds that went wrong.", counters.troubles)
        counter("hook_runs", "Runs of the hook.", counters.hookRuns)
        counter("hook_failures", "Runs of the hook that failed.", counters.hookFailures)
    }

    package var exposition: String { text }

    private mutating func gauge(_ name: String, _ help: String, _ value: Int) {
        add("imgrec_\(name)", "gauge", help, value)
    }

    private mutating func counter(_ name: String, _ help: String, _ value: Int) {
        add("imgrec_\(name)_total", "counter", help, value)
    }

    private mutating func add(_ name: String, _ type: String, _ help: String, _ value: Int) {
        text += "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n\(name) \(value)\n"
    }
}
