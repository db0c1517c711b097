import Settings

// What the settings say of the output.

extension OutputForm {
    package init(_ settings: Settings) {
        self.init()
        layout =
            switch settings.outputLayout {
            case "sharded": .sharded(digits: settings.shardDigits)
            case "single": .single
            default: .products
            }
        isCompact = settings.isOutputCompact
        imageBaseURL = settings.imageBaseURL
        fields = Set(Field.allCases.filter { settings.outputFields.contains($0.rawValue) })
        hasComponent = settings.hasComponent
    }
}
