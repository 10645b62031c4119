// Steps that change the packet.
#include "compiler/lower/emitter.hpp"

namespace xdpf::lowering {

bool Emitter::emit_rewrite(const sema::Step &, NodeId, Knowledge &) { return false; }

void Facts::asked_by_rewrite(const sema::Step &, Asked &) {}

} // namespace xdpf::lowering
