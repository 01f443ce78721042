//! STUB
use crate::*;
use efflux_particle::*;
use std::path::*;
use std::sync::Arc;
pub(crate) struct Index;
pub(crate) struct TopicIndex;
impl Index {
    pub(crate) fn new(_: Option<PathBuf>) -> Result<Arc<Self>> {
        Ok(Arc::new(Self))
    }
    pub(crate) fn follow(self: &Arc<Self>, _: Arc<dyn TopicLog>) -> Arc<TopicIndex> {
        Arc::new(TopicIndex)
    }
    pub(crate) fn forget(&self, _: &TopicName) {}
    pub(crate) fn unfollow(&self, _: &TopicName) {}
    pub(crate) fn close(&self) {}
}
impl TopicIndex {
    pub(crate) fn through(&self) -> Option<Sequence> {
        None
    }
    pub(crate) async fn wait_through(&self, _: Sequence) -> Result<()> {
        Ok(())
    }
    pub(crate) fn id(&self, _: &Id) -> Result<Vec<Sequence>> {
        Ok(vec![])
    }
    pub(crate) fn group_last(&self, _: &str) -> Result<Option<Sequence>> {
        Ok(None)
    }
}
