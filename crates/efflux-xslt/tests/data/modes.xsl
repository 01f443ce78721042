<?xml version="1.0" encoding="UTF-8"?>
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:output method="html" encoding="US-ASCII"/>
<xsl:template match="article"><html lang="{@lang}"><head><title><xsl:value-of select="normalize-space(title)"/></title></head><body><ul><xsl:apply-templates select="section" mode="contents"/></ul><xsl:apply-templates select="section"/></body></html></xsl:template>
<xsl:template match="section" mode="contents"><li><a href="#{generate-id(title) != ''}"><xsl:number level="multiple" format="1.a "/><xsl:value-of select="title"/></a><xsl:if test="section"><ul><xsl:apply-templates select="section" mode="contents"/></ul></xsl:if></li></xsl:template>
<xsl:template match="section"><h2><xsl:number level="multiple" count="section" format="I.1"/> – <xsl:value-of select="title"/></h2><xsl:apply-templates select="*[not(self::title)]"/></xsl:template>
<xsl:template match="para"><p><xsl:apply-templates/></p></xsl:template>
<xsl:template match="em|code"><xsl:element name="{translate(name(), 'EM', 'em')}"><xsl:apply-templates/></xsl:element></xsl:template>
<xsl:template match="link"><a href="{@to}"><xsl:apply-templates/></a></xsl:template>
<xsl:template match="br"><br/></xsl:template>
</xsl:stylesheet>
