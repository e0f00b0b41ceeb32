#pragma once

#include "verilabel/cli/command.h"

/// One row a command; `app` puts them into the table. Each stands in the file named after its command.
namespace verilabel::cli {

extern const Command kQuickstartCommand;
extern const Command kInitCommand;
extern const Command kImportCommand;
extern const Command kImportsCommand;
extern const Command kLabelCommand;
extern const Command kRunsCommand;
extern const Command kEmbedCommand;
extern const Command kFuseCommand;
extern const Command kEvaluateCommand;
extern const Command kEvaluationsCommand;
extern const Command kThresholdCommand;
extern const Command kReviewCommand;
extern const Command kTagCommand;
extern const Command kViewsCommand;
extern const Command kExportCommand;
extern const Command kStatsCommand;
extern const Command kSamplesCommand;
extern const Command kLabelsCommand;
extern const Command kModelsCommand;
extern const Command kDemoCommand;

}  // namespace verilabel::cli
