import StrictTOML

extension Settings {
    /// The catalogue.
    package struct State: TOMLSection {
        @Key(
            "folder", .path,
            "Where the catalogue (SQLite) is kept. It can be deleted while no agent runs; the next run makes "
                + "it anew.")
        package var folder = "/var/lib/imgrec-agent"

        package init() {}
    }

    /// The control socket.
    package struct Runtime: TOMLSection {
        @Key(
            "folder", .pathOrNone, redoes: .restart,
            "Where a running agent has its control socket. Empty: the state folder, or /run/... if the state "
                + "folder is /var/lib/...")
        package var folder: String? = nil
        @Key(
            "timeout_seconds", .seconds(1...3600),
            "How long 'status', 'wait' and other commands wait for a running agent that gives no sign of life."
        )
        package var timeout: Duration = .seconds(5)

        package init() {}
    }

    /// The processes that decode photos.
    package struct Workers: TOMLSection {
        package enum Sandbox: String, CaseIterable, Sendable {
            case on, off
        }

        @Key(
            "sandbox", .choice, redoes: .failures,
            "Photos are decoded in processes of their own. \"on\": these can open neither files nor "
                + "connections, and if that cannot be ensured, the agent does not start. \"off\": for "
                + "trusted photos, on a kernel that cannot ensure it.")
        package var sandbox = Sandbox.on
        @Key(
            "timeout_seconds", .integer(1...3600), redoes: .failures,
            "A photo that takes longer to decode is recorded as failed.")
        package var timeoutSeconds = 10
        @Key(
            "memory_bytes", .integer(16 << 20...1 << 40), redoes: .failures,
            "How much memory decoding one photo may take.")
        package var memoryBytes = 2 << 30

        package init() {}
    }

    /// Cores and time.
    package struct Performance: TOMLSection {
        @Key("threads", .integer(0...1024), "How many cores to use. 0: all.")
        package var threads = 0
        @Key(
            "background_percent", .integer(1...100),
            "When model.name is changed, the agent goes on serving with the model it had while it embeds all "
                + "photos with the new one. How much of its time it may spend on that, in percent.")
        package var backgroundPercent = 50

        package init() {}
    }

    /// Networks that are compiled already.
    package struct Cache: TOMLSection {
        @Key(
            "folder", .cachePlace,
            "Where networks that were compiled for this CPU are kept, so that the next start is faster. "
                + "Empty: the folder cache in the state folder, or /var/cache/... if the state folder is "
                + "/var/lib/...; \"none\": nowhere.")
        package var folder = CachePlace.usual
        @Key(
            "max_network_bytes", .integer(0...1 << 40),
            "A larger network is not kept: reading it takes as long as compiling it again.")
        package var maxNetworkBytes = 128 << 20

        package init() {}
    }

    /// What a running agent says.
    package struct Log: TOMLSection {
        package enum Level: String, CaseIterable, Sendable {
            case debug, info, notice, warning, error
        }

        @Key(
            "level", .choice, redoes: .restart,
            "The least severe level that a running agent logs. \"info\" has a line for each changed photo.")
        package var level = Level.info

        package init() {}
    }
}
