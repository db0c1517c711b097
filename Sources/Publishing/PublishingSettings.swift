import Settings

// What the settings say of the output.

extension OutputForm {
    package init(_ settings: Settings) {
        self.init()
        layout =
            switch settings.output.layout {
            case .products: .products
            case .sharded: .sharded(digits: settings.output.shardDigits)
            case .single: .single
            }
        isCompact = settings.output.format == .compact
        imageBaseURL = settings.output.imageBaseURL
        fields = settings.output.fields
        hasComponent = settings.output.hasComponent
    }
}
